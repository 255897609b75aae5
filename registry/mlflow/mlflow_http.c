/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/mlflow.h"

#include "registry/handlers.h"

/* GET /health */
enum err get_mlflow_health(struct request *rq)
{
    return request_reply_bytes(rq, "text/plain; charset=utf-8", "OK", 2);
}

/* GET …/server-info: clients ask before they use a workspace, and before large files. */
enum err get_mlflow_server_info(struct request *rq)
{
    return mlflow_reply(rq, "{\"store_type\":\"SqlStore\",\"workspaces_enabled\":true,"
                            "\"trace_archival_enabled\":false,\"multipart_uploads_enabled\":false,"
                            "\"multipart_downloads_enabled\":false}");
}
