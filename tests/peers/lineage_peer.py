# SPDX-License-Identifier: Apache-2.0
"""Runs in the environment of lineage-requirements.txt: lineage_peer.py CHECK ARGUMENTS…; fails loudly, or prints JSON."""
import base64
import json
import pathlib
import sys
import uuid


def emit(url, token, namespace, compression):
    """openlineage-python's own client and HTTP transport, START and COMPLETE of one run."""
    from openlineage.client import OpenLineageClient
    from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
    from openlineage.client.facet_v2 import column_lineage_dataset, schema_dataset
    from openlineage.client.transport.http import ApiKeyTokenProvider, HttpCompression, HttpConfig, HttpTransport
    config = HttpConfig(url=url, auth=ApiKeyTokenProvider({"apiKey": token}),
                        compression=HttpCompression(compression) if compression else None)
    client = OpenLineageClient(transport=HttpTransport(config))
    run = str(uuid.uuid4())
    job = Job(namespace=namespace, name="peer" + compression)
    fields = [schema_dataset.SchemaDatasetFacetFields(name="total", type="DOUBLE")]
    origin = column_lineage_dataset.InputField(namespace="lake", name="orders", field="price")
    columns = column_lineage_dataset.ColumnLineageDatasetFacet(
        fields={"total": column_lineage_dataset.Fields(inputFields=[origin])})
    output = OutputDataset(namespace="lake", name="totals",
                           facets={"schema": schema_dataset.SchemaDatasetFacet(fields=fields), "columnLineage": columns})
    for state, at in ((RunState.START, "2026-03-01T08:00:00+01:00"), (RunState.COMPLETE, "2026-03-01T08:00:07.5+01:00")):
        client.emit(RunEvent(eventType=state, eventTime=at, run=Run(runId=run), job=job, producer="https://example.com/peer",
                             inputs=[InputDataset(namespace="lake", name="orders")],
                             outputs=[output] if state == RunState.COMPLETE else []))
    return {"run": run}


def prov(path):
    from prov.model import ProvDocument
    text = pathlib.Path(path).read_text()
    document = ProvDocument.deserialize(content=text, format="json")
    again = ProvDocument.deserialize(content=document.serialize(format="json"), format="json")
    assert document == again
    return {"records": len(document.get_records()), "provn": document.get_provn()}


def cyclonedx(path):
    from cyclonedx.model.bom import Bom
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator
    text = pathlib.Path(path).read_text()
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    assert error is None, error
    bom = Bom.from_json(json.loads(text))
    return {"components": len(bom.components), "name": bom.metadata.component.name}


def spdx(path):
    from spdx_python_model import v3_0_1
    objects = v3_0_1.SHACLObjectSet()
    with open(path, "rb") as file:
        v3_0_1.JSONLDDeserializer().read(file, objects)
    missing = objects.link()
    packages = [o for o in objects.foreach_type("ai_AIPackage")]
    data = [o for o in objects.foreach_type("dataset_DatasetPackage")]
    return {"missing": [str(m) for m in missing], "models": len(packages), "datasets": len(data)}


def dsse(path, vkey):
    from in_toto_attestation.v1.statement import Statement
    from google.protobuf import json_format
    import in_toto_attestation.v1.statement_pb2 as pb
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import SSlibKey
    name, key_id, key = vkey.split("+", 2)
    public = SSlibKey(f"{name}+{key_id}", "ed25519", "ed25519", {"public": base64.b64decode(key)[1:].hex()})
    envelope = Envelope.from_dict(json.loads(pathlib.Path(path).read_text()))
    verified = envelope.verify([public], 1)
    statement = json_format.Parse(envelope.payload, pb.Statement())
    Statement.copy_from_pb(statement).validate()
    return {"signers": list(verified), "predicate": statement.predicate_type}


def signature(folder, bundle, key):
    import model_signing
    model_signing.verifying.Config().use_elliptic_key_verifier(public_key=pathlib.Path(key)).verify(
        pathlib.Path(folder), pathlib.Path(bundle))
    return {}


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
