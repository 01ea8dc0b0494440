//! The operator: whether it runs, answers, has our version and its rights.

use control_api::route::{Operation, Target};
use control_client::Request;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;

use super::kubernetes::account_rights;
use super::rights::OPERATOR as RIGHTS;
use super::{Check, State, certificate};
use crate::commands::operator_version;
use crate::connection::{self, ConnectionArgs, OPERATOR};
use crate::namespace::Namespace;

/// All checks of it.
pub async fn all(connection: &ConnectionArgs, namespace: Option<&Namespace>) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Some(namespace) = namespace {
        let (check, account) = deployment(namespace).await;
        checks.push(check);
        checks.push(account_rights(namespace, "rights of the operator", &account, RIGHTS).await);
        checks.push(version(connection).await);
    }
    checks.extend(api(connection).await);
    checks
}

/// The Deployment, and the account that it has.
async fn deployment(namespace: &Namespace) -> (Check, String) {
    const NAME: &str = "operator";
    let install = "see docs/manual.md, Install; on this machine `flinkctl local up` brings one";
    let found = match namespace.find::<Deployment>(OPERATOR).await {
        Ok(Some(found)) => found,
        Ok(None) => {
            let message = format!("there is no Deployment {OPERATOR} in namespace {}", namespace.name);
            return (Check::warn(NAME, message, install), OPERATOR.to_owned());
        }
        Err(error) => return (Check::warn(NAME, kit::chain(&error), "try again"), OPERATOR.to_owned()),
    };
    let spec = found.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
    let account = spec.and_then(|spec| spec.service_account_name.clone()).unwrap_or_else(|| "default".to_owned());
    let available = found.status.as_ref().and_then(|status| status.available_replicas).unwrap_or_default();
    if available > 0 {
        return (Check::ok(NAME, format!("{available} replica runs in namespace {}", namespace.name)), account);
    }
    let mend = format!(
        "kubectl describe deployment/{OPERATOR} -n {0}; kubectl logs deployment/{OPERATOR} -n {0}",
        namespace.name
    );
    (Check::fail(NAME, format!("no replica of Deployment {OPERATOR} is available"), mend), account)
}

async fn version(connection: &ConnectionArgs) -> Check {
    const NAME: &str = "versions";
    let own = env!("CARGO_PKG_VERSION");
    match operator_version(connection).await {
        Ok(found) if found == own => Check::ok(NAME, format!("client and operator are {own}")),
        Ok(found) => {
            let found = found.as_str().unwrap_or("unknown").to_owned();
            Check::warn(NAME, format!("the client is {own} and the operator {found}"), "use the same version")
        }
        Err(failure) => Check::of(NAME, State::Warn, &failure, "see `operator` above"),
    }
}

/// The control API, and its certificate.
async fn api(connection: &ConnectionArgs) -> Vec<Check> {
    const NAME: &str = "control API";
    let mend = "does the operator serve it? It needs certificates, or --insecure (docs/security.md); its log says more";
    let opened = match connection::open(connection).await {
        Ok(opened) => opened,
        Err(failure) => return vec![Check::of(NAME, State::Fail, &failure, mend)],
    };
    let mut checks = Vec::new();
    match opened.client.ask(&Request::new(Operation::Names(Target::Cluster), Vec::<String>::new())).await {
        Ok(_) => checks.push(Check::ok(NAME, format!("it answers by {}", opened.by))),
        Err(error) => {
            let trouble = opened.forward.as_ref().and_then(kit::forward::Forward::trouble);
            checks.push(match trouble {
                Some(trouble) => Check::fail(NAME, format!("it is not reached by {}: {trouble}", opened.by), mend),
                None => Check::of(NAME, State::Fail, &error.into(), mend),
            });
        }
    }
    if opened.peer.tls {
        match certificate::shown(&opened.peer).await {
            Ok(chain) => {
                let check = certificate::judge(
                    "certificate of the operator",
                    &chain,
                    &opened.peer.server_name,
                    Timestamp::now(),
                );
                checks.push(check);
            }
            Err(why) => {
                checks.push(Check::warn("certificate of the operator", format!("it cannot be seen: {why}"), mend));
            }
        }
    } else {
        let mend = "give the operator certificates (docs/security.md), unless nobody else can reach it";
        checks.push(Check::warn(
            "certificate of the operator",
            "the control API is plain HTTP: who reaches it may do everything",
            mend,
        ));
    }
    checks
}
