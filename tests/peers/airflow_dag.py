# SPDX-License-Identifier: Apache-2.0
"""A DAG of two tasks for Airflow: one says its lineage as operators of providers do, the other by its inlets and outlets."""
import pendulum
from airflow.providers.openlineage.extractors import OperatorLineage
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, Asset, BaseOperator
from openlineage.client.event_v2 import Dataset
from openlineage.client.facet_v2 import column_lineage_dataset, schema_dataset


class Clean(BaseOperator):
    def execute(self, context):
        return "cleaned"

    def get_openlineage_facets_on_complete(self, task_instance):
        origin = column_lineage_dataset.InputField(namespace="lake", name="raw", field="euros")
        fields = [schema_dataset.SchemaDatasetFacetFields(name="cents", type="BIGINT")]
        facets = {"schema": schema_dataset.SchemaDatasetFacet(fields=fields),
                  "columnLineage": column_lineage_dataset.ColumnLineageDatasetFacet(
                      fields={"cents": column_lineage_dataset.Fields(inputFields=[origin])})}
        return OperatorLineage(inputs=[Dataset(namespace="lake", name="raw")],
                               outputs=[Dataset(namespace="file", name="/lake/clean.csv", facets=facets)])


with DAG("nightly", start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), schedule=None, catchup=False):
    clean = Clean(task_id="clean")
    report = PythonOperator(task_id="report", python_callable=lambda: "reported",
                            inlets=[Asset("file:///lake/clean.csv")], outlets=[Asset("file:///lake/report.csv")])
    clean >> report
