//! `logs`: the log of a pod's first container.

use std::io::{ErrorKind, Write as _};

use futures::io::AsyncReadExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, LogParams};
use kube::{Api, ResourceExt as _};

use super::{Error, LogsArgs, connect, request, system};

pub async fn logs(args: &LogsArgs) -> Result<(), Error> {
    let client = connect(&args.data.path()?).await?;
    let all: Api<Pod> = Api::all(client.clone());
    let pods = all.list(&ListParams::default()).await.map_err(request("list pods"))?.items;
    let default = client.default_namespace().to_owned();
    let pod = choose(&pods, &args.pod, &default)?;
    let container = pod.spec.as_ref().and_then(|spec| spec.containers.first()).map(|container| container.name.clone());
    let params = LogParams { container, follow: args.follow, ..LogParams::default() };
    let pods: Api<Pod> = Api::namespaced(client, &pod.namespace().unwrap_or(default));
    let what = format!("read the log of pod {}", pod.name_any());
    let mut log = pods.log_stream(&pod.name_any(), &params).await.map_err(request(&what))?;
    let mut stdout = std::io::stdout();
    let mut buffer = vec![0; 32 * 1024];
    loop {
        let read = log.read(&mut buffer).await.map_err(system(&what))?;
        if read == 0 {
            return Ok(());
        }
        match stdout.write_all(&buffer[..read]).and_then(|()| stdout.flush()) {
            Ok(()) => {}
            // The reader has seen enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => return Err(system("write the log")(error)),
        }
    }
}

/// The pod of that name, the default namespace first; else the only one whose name begins so.
fn choose<'a>(pods: &'a [Pod], name: &str, default: &str) -> Result<&'a Pod, Error> {
    let exact = |pod: &&Pod| pod.name_any() == name;
    let local = pods.iter().filter(|pod| pod.namespace().as_deref() == Some(default)).find(exact);
    if let Some(pod) = local.or_else(|| pods.iter().find(exact)) {
        return Ok(pod);
    }
    let prefix = format!("{name}-");
    let found: Vec<&Pod> = pods.iter().filter(|pod| pod.name_any().starts_with(&prefix)).collect();
    match found.as_slice() {
        [] => Err(Error::NoPod(name.to_owned())),
        [only] => Ok(only),
        several => Err(Error::ManyPods {
            name: name.to_owned(),
            found: several.iter().map(|pod| pod.name_any()).collect::<Vec<_>>().join(", "),
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(namespace: &str, name: &str) -> Pod {
        serde_json::from_value(json!({"metadata": {"namespace": namespace, "name": name}})).unwrap()
    }

    #[test]
    fn a_name_is_taken_whole_before_it_is_taken_as_a_begin() {
        let pods =
            [pod("other", "job"), pod("default", "job"), pod("default", "job-2"), pod("default", "flink-operator-x")];
        let chosen = choose(&pods, "job", "default").unwrap();
        assert_eq!(chosen.namespace().as_deref(), Some("default"));
        assert_eq!(choose(&pods, "flink-operator", "default").unwrap().name_any(), "flink-operator-x");
        assert!(matches!(choose(&pods, "nothing", "default"), Err(Error::NoPod(_))));
        assert!(choose(&pods[2..], "flink", "default").is_ok());
        let two = [pod("default", "a-1"), pod("default", "a-2")];
        assert!(matches!(choose(&two, "a", "default"), Err(Error::ManyPods { .. })));
    }
}
