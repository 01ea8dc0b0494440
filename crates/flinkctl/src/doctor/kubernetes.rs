//! Kubernetes: its version, our definitions, and who may do what.

use futures::StreamExt as _;
use k8s_openapi::api::authorization::v1::{LocalSubjectAccessReview, SelfSubjectAccessReview, SubjectAccessReview};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kit::client::{CallError, DEADLINE, call};
use kube::api::PostParams;
use kube::{Api, ResourceExt as _};
use lifecycle::supervision::drift;
use serde_json::{Value, json};

use super::Check;
use super::rights::{Rights, USER};
use crate::connection::Kubernetes;
use crate::namespace::{self, Namespace};

/// The oldest that is supported.
const OLDEST: (u32, u32) = (1, 28);
/// Questions that are asked at once.
const WIDTH: usize = 8;

pub async fn reach(kubernetes: &Kubernetes) -> Check {
    const NAME: &str = "kubernetes";
    match call(DEADLINE, kubernetes.client.apiserver_version()).await {
        Ok(version) => {
            let number =
                |text: &str| text.trim_end_matches(|letter: char| !letter.is_ascii_digit()).parse().unwrap_or(0);
            let found = (number(&version.major), number(&version.minor));
            let message = format!("{} answers with version {}", kubernetes.config.cluster_url, version.git_version);
            if found >= OLDEST {
                Check::ok(NAME, message)
            } else {
                Check::warn(NAME, message, format!("flinkctl is made for {}.{} and later", OLDEST.0, OLDEST.1))
            }
        }
        Err(error) => Check::fail(
            NAME,
            format!("{} does not answer: {}", kubernetes.config.cluster_url, kit::chain(&error)),
            "check the kubeconfig, its context (--kube-context), the network, and whether your credentials have expired",
        ),
    }
}

/// The definitions, each compared with ours.
pub async fn definitions(place: &Namespace) -> Vec<Check> {
    let api: Api<CustomResourceDefinition> = Api::all(place.client.clone());
    let mut checks = Vec::new();
    for wanted in api::crds() {
        let name = wanted.name_any();
        let found = call(DEADLINE, api.get_opt(&name)).await;
        checks.push(definition(&format!("definition {name}"), &wanted, found));
    }
    checks
}

fn definition(
    check: &str,
    wanted: &CustomResourceDefinition,
    found: Result<Option<CustomResourceDefinition>, CallError>,
) -> Check {
    let apply = "kubectl apply --server-side -f crates/api/crds/ (of this version)";
    match found {
        Ok(None) => Check::fail(check, "it is not installed", apply),
        Ok(Some(found)) => {
            let (observed, wanted) = (namespace::json(&found.spec), namespace::json(&wanted.spec));
            match drift::first_difference(&observed, &wanted) {
                None => Check::ok(check, "it is installed as this version has it"),
                Some(path) => Check::warn(check, format!("it is another version's: spec.{path} differs"), apply),
            }
        }
        Err(error) if is_forbidden(&error) => {
            Check::warn(check, "you may not read it", "ask somebody who may get customresourcedefinitions")
        }
        Err(error) => Check::warn(check, kit::chain(&error), "try again"),
    }
}

fn is_forbidden(error: &CallError) -> bool {
    error.status().is_some_and(kube::core::Status::is_forbidden)
}

/// Rights one by one, as questions.
fn questions(rights: &[Rights]) -> Vec<(Rights, &'static str)> {
    rights.iter().flat_map(|one| one.verbs.iter().map(|verb| (*one, *verb))).collect()
}

fn attributes(right: &Rights, verb: &str, namespace: &str) -> Value {
    let (resource, subresource) = right.resource.split_once('/').unwrap_or((right.resource, ""));
    json!({ "group": right.group, "resource": resource, "subresource": subresource, "verb": verb, "namespace": namespace })
}

fn named(right: &Rights, verb: &str) -> String {
    let group = if right.group.is_empty() { String::new() } else { format!(".{}", right.group) };
    format!("{verb} {}{group}", right.resource)
}

/// What the caller may do.
pub async fn own_rights(place: &Namespace) -> Check {
    const NAME: &str = "your rights";
    let api: Api<SelfSubjectAccessReview> = Api::all(place.client.clone());
    let answers = futures::stream::iter(questions(USER)).map(|(right, verb)| {
        let api = api.clone();
        async move {
            let review = json!({ "spec": { "resourceAttributes": attributes(&right, verb, &place.name) } });
            let review: SelfSubjectAccessReview = serde_json::from_value(review).expect("it is a review");
            let answer = call(DEADLINE, api.create(&PostParams::default(), &review)).await;
            answer.map(|answer| (named(&right, verb), answer.status.is_some_and(|status| status.allowed)))
        }
    });
    let answers: Vec<_> = answers.buffered(WIDTH).collect().await;
    match missing(answers) {
        Ok(missing) if missing.is_empty() => {
            Check::ok(NAME, format!("you may do all that the commands need in namespace {}", place.name))
        }
        Ok(missing) => Check::warn(
            NAME,
            format!("in namespace {} you may not: {}", place.name, missing.join(", ")),
            "commands that need it are refused; ask for a role with these rights",
        ),
        Err(error) => Check::warn(NAME, format!("they cannot be asked for: {}", kit::chain(&error)), "try again"),
    }
}

/// What a service account of the namespace may do.
pub async fn account_rights(place: &Namespace, check: &str, account: &str, rights: &[Rights]) -> Check {
    let answers = futures::stream::iter(questions(rights)).map(|(right, verb)| async move {
        let allowed = ask(place, account, &attributes(&right, verb, &place.name)).await?;
        Ok((named(&right, verb), allowed))
    });
    let answers: Vec<Result<(String, bool), CallError>> = answers.buffered(WIDTH).collect().await;
    match missing(answers) {
        Ok(missing) if missing.is_empty() => {
            Check::ok(check, format!("service account {account} may do all that it needs in namespace {}", place.name))
        }
        Ok(missing) => Check::fail(
            check,
            format!("service account {account} may not: {}", missing.join(", ")),
            format!(
                "bind a role with these rights to it in namespace {} (docs/manual.md, Install); what waits for them goes on by itself, \
                 at the latest when its pod is restarted",
                place.name
            ),
        ),
        Err(error) if is_forbidden(&error) => Check::warn(
            check,
            format!("you may not ask what service account {account} may do"),
            "somebody who may create subjectaccessreviews sees more",
        ),
        Err(error) => Check::warn(check, format!("it cannot be asked: {}", kit::chain(&error)), "try again"),
    }
}

/// Whether the account may do it: asked in the whole cluster, else in the namespace alone.
async fn ask(place: &Namespace, account: &str, attributes: &Value) -> Result<bool, CallError> {
    let user = format!("system:serviceaccount:{}:{account}", place.name);
    let groups = [
        "system:serviceaccounts".to_owned(),
        format!("system:serviceaccounts:{}", place.name),
        "system:authenticated".to_owned(),
    ];
    let spec = json!({ "resourceAttributes": attributes, "user": user, "groups": groups });
    let everywhere: Api<SubjectAccessReview> = Api::all(place.client.clone());
    let review = serde_json::from_value(json!({ "spec": spec })).expect("it is a review");
    match call(DEADLINE, everywhere.create(&PostParams::default(), &review)).await {
        Ok(answer) => return Ok(answer.status.is_some_and(|status| status.allowed)),
        Err(error) if !is_forbidden(&error) => return Err(error),
        Err(_) => {}
    }
    let here: Api<LocalSubjectAccessReview> = place.api();
    let metadata = json!({ "namespace": place.name });
    let review = serde_json::from_value(json!({ "metadata": metadata, "spec": spec })).expect("it is a review");
    let answer = call(DEADLINE, here.create(&PostParams::default(), &review)).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

fn missing(answers: Vec<Result<(String, bool), CallError>>) -> Result<Vec<String>, CallError> {
    let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(answers.into_iter().filter(|(_, allowed)| !allowed).map(|(right, _)| right).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn a_definition_is_missing_older_or_ours() {
        let ours = api::crds().remove(1);
        let check = |found| definition("definition", &ours, found).state;
        assert_eq!(check(Ok(None)), State::Fail);
        assert_eq!(check(Ok(Some(ours.clone()))), State::Ok);
        let mut older = ours.clone();
        older.spec.versions[0].additional_printer_columns = None;
        assert_eq!(check(Ok(Some(older))), State::Warn);
    }

    #[test]
    fn rights_are_told_as_people_know_them() {
        let all: Vec<String> =
            questions(super::super::rights::SUPERVISOR).iter().map(|(right, verb)| named(right, verb)).collect();
        assert!(all.contains(&"patch flinkclusters/scale.nextbreakpoint.com".to_owned()), "{all:?}");
        let right = Rights { group: "", resource: "pods/log", verbs: &[] };
        assert_eq!(attributes(&right, "get", "n")["subresource"], "log");
    }
}
