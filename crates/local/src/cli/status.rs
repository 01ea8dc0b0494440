//! `status`: whether an instance runs, where, and with which pods.

use comfy_table::{ContentArrangement, Table, presets};
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use super::{Error, Output, StatusArgs, connect, line, request};
use crate::{kubeconfig, lock};

pub async fn status(args: &StatusArgs) -> Result<(), Error> {
    let data_dir = args.data.path()?;
    let Some(pid) = lock::holder(&data_dir)? else {
        if args.output == Output::Json {
            line(&format!("{:#}", json!({"running": false, "dataDir": data_dir})));
        }
        return Err(Error::NotRunning(data_dir));
    };
    let client = connect(&data_dir).await?;
    let version = client.apiserver_version().await.map_err(request("ask the API server"))?;
    let all: Api<Pod> = Api::all(client.clone());
    let pods = all.list(&ListParams::default()).await.map_err(request("list pods"))?.items;
    let rows: Vec<Row> = pods.iter().map(Row::of).collect();
    let kubeconfig = kubeconfig::path(&data_dir);
    match args.output {
        Output::Json => {
            let status = json!({
                "running": true,
                "pid": pid,
                "dataDir": data_dir,
                "kubeconfig": kubeconfig,
                "namespace": client.default_namespace(),
                "version": version.git_version,
                "pods": rows.iter().map(Row::json).collect::<Vec<_>>(),
            });
            line(&format!("{status:#}"));
        }
        Output::Table => {
            line(&format!("process     {pid}"));
            line(&format!("data        {}", data_dir.display()));
            line(&format!("kubeconfig  {}", kubeconfig.display()));
            line(&format!("namespace   {}", client.default_namespace()));
            line("");
            line(&table(&rows).trim_fmt());
        }
    }
    Ok(())
}

struct Row {
    namespace: String,
    name: String,
    ready: String,
    state: String,
    restarts: i32,
    address: String,
}

impl Row {
    fn of(pod: &Pod) -> Self {
        let status = pod.status.as_ref();
        let containers = status.and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
        let ready = containers.iter().filter(|container| container.ready).count();
        let total = pod.spec.as_ref().map_or(0, |spec| spec.containers.len());
        let waiting =
            containers.iter().find_map(|container| container.state.as_ref()?.waiting.as_ref()?.reason.clone());
        let phase = status.and_then(|status| status.phase.clone()).unwrap_or_default();
        let ending = pod.metadata.deletion_timestamp.as_ref().map(|_| "Terminating".to_owned());
        Self {
            namespace: pod.namespace().unwrap_or_default(),
            name: pod.name_any(),
            ready: format!("{ready}/{total}"),
            state: ending.or(waiting).unwrap_or(phase),
            restarts: containers.iter().map(|container| container.restart_count).sum(),
            address: status.and_then(|status| status.pod_ip.clone()).unwrap_or_default(),
        }
    }

    fn json(&self) -> Value {
        json!({
            "namespace": self.namespace,
            "name": self.name,
            "ready": self.ready,
            "status": self.state,
            "restarts": self.restarts,
            "address": self.address,
        })
    }
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["NAMESPACE", "POD", "READY", "STATUS", "RESTARTS", "ADDRESS"]);
    for row in rows {
        let restarts = row.restarts.to_string();
        table.add_row([&row.namespace, &row.name, &row.ready, &row.state, &restarts, &row.address]);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}
