//! Server-side apply: an applied configuration is merged into the object; its fields become the manager's, and those that it
//! had applied before and no longer mentions go, unless somebody else has them.

use serde_json::{Value, json};

use super::super::error::Failure;
use super::super::meta;
use super::check::check;
use super::manage::{Entry, Tracking, entries, ignored, owned, record, take, update};
use super::set::Set;
use super::shape::Node;
use super::typed::{compare, fields, merge, remove};

/// The outcome of an apply, to be written like an update.
pub(crate) type Applied = Result<Value, Failure>;

/// Who has what was there before anybody applied.
const BEFORE: &str = "before-first-apply";
/// The manager under which `kubectl` applies, and the annotation in which it notes what it applied without the server's help.
const KUBECTL: &str = "kubectl";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Applies `config` to what is there, if anything.
pub(crate) fn apply(tracking: &Tracking<'_>, force: bool, live: Option<&Value>, config: &Value) -> Applied {
    if let Some(wrong) = check(tracking.root, config) {
        let (namespace, name) = (meta::namespace(config), meta::name(config));
        let (version, kind) = (meta::text(config, "/apiVersion"), meta::text(config, "/kind"));
        let slash = if version.contains('/') { "" } else { "/" };
        let what = format!("{namespace}/{name}; {slash}{version}, Kind={kind}");
        let message = format!("failed to create typed patch object ({what}): {wrong}");
        return Err(Failure::new(500, "", message));
    }
    let live_fields = live.map(|live| {
        let mut live = live.clone();
        meta::metadata(&mut live).remove("managedFields");
        live
    });
    let base = live_fields.as_ref().unwrap_or(tracking.empty);
    let mut managed = live.map(entries).unwrap_or_default();
    if managed.is_empty() {
        let before = Tracking { manager: super::Manager { name: BEFORE, ..tracking.manager.clone() }, ..*tracking };
        update(&before, tracking.empty, base, &mut managed);
    }
    let outcome = match merged(tracking, force, base, config, managed.clone()) {
        Err(conflicts) if tracking.manager.name == KUBECTL => {
            // What `kubectl` itself applied without the server's help is no other's, whoever is noted for it.
            let allowed = last_applied(tracking.root, base);
            let left: Vec<(Entry, Set)> = conflicts
                .into_iter()
                .map(|(who, set)| (who, set.minus(&allowed)))
                .filter(|(_, set)| !set.is_empty())
                .collect();
            if left.is_empty() { merged(tracking, true, base, config, managed) } else { Err(left) }
        }
        outcome => outcome,
    };
    let mut object = outcome.map_err(|conflicts| conflict(&conflicts))?;
    if tracking.manager.name == KUBECTL && !meta::annotation(&object, LAST_APPLIED).is_empty() {
        let mut note = config.clone();
        if let Some(annotations) = note.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
            annotations.remove(LAST_APPLIED);
        }
        object["metadata"]["annotations"][LAST_APPLIED] = format!("{note}\n").into();
    }
    Ok(object)
}

fn merged(
    tracking: &Tracking<'_>,
    force: bool,
    live: &Value,
    config: &Value,
    mut managed: Vec<Entry>,
) -> Result<Value, Vec<(Entry, Set)>> {
    let (root, ignored) = (tracking.root, ignored(tracking));
    let mut applied = fields(root, config).without(&ignored);
    applied.own = false;
    let own = Entry::new(&tracking.manager, true, applied);
    let before = managed.iter().position(|entry| entry.same(&own)).map(|index| managed.remove(index));
    let whole = merge(root, live, config);
    let object = match &before {
        Some(before) => prune(root, whole, &before.fields, &managed, &own.fields),
        None => whole,
    };
    let difference = compare(root, live, &object).without(&ignored);
    let written = difference.modified.clone().or(&difference.added);
    let conflicts: Vec<(Entry, Set)> = managed
        .iter()
        .map(|entry| (entry.clone(), entry.fields.and(&written)))
        .filter(|(_, common)| !common.is_empty())
        .collect();
    if !conflicts.is_empty() && !force {
        return Err(conflicts);
    }
    take(&mut managed, &difference);
    let idle = object == *live;
    let own: Entry = if idle { own.with_time_of(before.as_ref()) } else { own.at(tracking.now) };
    managed.push(own.with_fields(owned));
    let mut object = object;
    record(&mut object, managed);
    Ok(object)
}

/// Takes out what was applied before, but for what the configuration or anybody else has.
fn prune(root: Node<'_>, whole: Value, before: &Set, others: &[Entry], applied: &Set) -> Value {
    if before.is_empty() {
        return whole;
    }
    let all = |value: &Value| fields(root, value).with_named(root);
    let pruned = remove(root, &whole, &before.with_named(root));
    let mut kept = applied.clone();
    for entry in others {
        kept.union(&entry.fields);
    }
    let kept = all(&pruned).or(&kept.with_named(root));
    let pruned = remove(root, &whole, &all(&whole).minus(&kept));
    // What nobody owns, but hung below something that somebody owned, stays too.
    let dangling = all(&whole).minus(&all(&pruned)).and(&before.with_named(root));
    remove(root, &whole, &dangling)
}

/// The fields that `kubectl` noted as applied, as far as they are still so.
fn last_applied(root: Node<'_>, live: &Value) -> Set {
    let noted: Value = serde_json::from_str(meta::annotation(live, LAST_APPLIED)).unwrap_or_default();
    if noted["apiVersion"] != live["apiVersion"] {
        return Set::default();
    }
    let difference = compare(root, &noted, live);
    fields(root, &noted).minus(&difference.modified).minus(&difference.added).minus(&difference.removed)
}

fn conflict(conflicts: &[(Entry, Set)]) -> Failure {
    let mut lines: Vec<(String, String)> = Vec::new();
    for (entry, set) in conflicts {
        lines.extend(set.paths().into_iter().map(|path| (entry.described(), path)));
    }
    lines.sort_by(|(a, _), (b, _)| a.cmp(b));
    let causes: Vec<Value> = lines
        .iter()
        .map(|(who, path)| json!({"reason": "FieldManagerConflict", "message": format!("conflict with {who}"), "field": path}))
        .collect();
    let message = if let [(who, path)] = lines.as_slice() {
        format!("Apply failed with 1 conflict: conflict with {who}: {path}")
    } else {
        let line = |(index, (who, path)): (usize, &(String, String))| {
            let same = index > 0 && lines[index - 1].0 == *who;
            if same { format!("- {path}") } else { format!("conflicts with {who}:\n- {path}") }
        };
        let text: Vec<String> = lines.iter().enumerate().map(line).collect();
        format!("Apply failed with {} conflicts: {}", lines.len(), text.join("\n"))
    };
    Failure::new(409, "Conflict", message).with(json!({"causes": causes}))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::super::kinds::{Kind, Kinds};
    use super::super::{Manager, track};
    use super::*;

    fn deployments() -> std::sync::Arc<Kind> {
        Kinds::builtin().get("apps", "v1", "deployments").expect("served").clone()
    }

    fn tracking<'a>(kind: &'a Kind, name: &'a str, empty: &'a Value) -> Tracking<'a> {
        let manager = Manager { name, api_version: "apps/v1", subresource: "" };
        Tracking { root: Node::root(kind), manager, now: Timestamp::UNIX_EPOCH, empty, ignored: &[&["status"]] }
    }

    fn by(name: &str, live: Option<&Value>, config: &Value) -> Applied {
        let kind = deployments();
        apply(&tracking(&kind, name, &json!({"metadata": {}, "spec": {}})), false, live, config)
    }

    #[test]
    fn what_is_no_longer_applied_goes_unless_somebody_else_has_it() {
        let first = by("a", None, &json!({"metadata": {"name": "x", "labels": {"l": "1", "m": "1"}}, "spec": {"replicas": 1, "paused": true}})).expect("new");
        let both =
            by("b", Some(&first), &json!({"metadata": {"name": "x"}, "spec": {"paused": true}})).expect("same value");
        let last = by("a", Some(&both), &json!({"metadata": {"name": "x", "labels": {"l": "1"}}, "spec": {}}))
            .expect("fewer fields");
        assert_eq!(last["metadata"]["labels"], json!({"l": "1"}));
        assert_eq!(last["spec"], json!({"paused": true}));
    }

    #[test]
    fn another_managers_field_is_a_conflict_that_force_wins() {
        let kind = deployments();
        let empty = json!({"metadata": {}, "spec": {}});
        let mut live = json!({"metadata": {"name": "x"}, "spec": {"replicas": 1}});
        track(&tracking(&kind, "client", &empty), None, &mut live);
        let config = json!({"metadata": {"name": "x"}, "spec": {"replicas": 2}});
        let refused = by("b", Some(&live), &config).expect_err("conflict");
        assert_eq!(
            refused.message,
            "Apply failed with 1 conflict: conflict with \"client\" using apps/v1: .spec.replicas"
        );
        let forced = apply(&tracking(&kind, "b", &empty), true, Some(&live), &config).expect("forced");
        assert_eq!(forced["spec"]["replicas"], 2);
        assert_eq!(forced["metadata"]["managedFields"].as_array().map(Vec::len), Some(1));
        let applied =
            by("c", Some(&forced), &json!({"metadata": {"name": "x"}, "spec": {"replicas": 3}})).expect_err("conflict");
        assert_eq!(applied.message, "Apply failed with 1 conflict: conflict with \"b\": .spec.replicas");
    }

    #[test]
    fn list_items_are_told_apart_by_key() {
        let spec = |containers: Value| json!({"spec": {"template": {"spec": {"containers": containers}}}});
        let found = |live: &Value| live.pointer("/spec/template/spec/containers").cloned().unwrap_or_default();
        let one = spec(json!([{"name": "a", "image": "1", "env": [{"name": "E", "value": "1"}]}]));
        let live = by("x", None, &one).expect("new");
        let live = by("y", Some(&live), &spec(json!([{"name": "b", "image": "2"}]))).expect("another item");
        assert_eq!(found(&live).as_array().map(Vec::len), Some(2));
        let live = by("x", Some(&live), &spec(json!([{"name": "a", "image": "1"}]))).expect("no env");
        assert_eq!(found(&live), json!([{"name": "a", "image": "1"}, {"name": "b", "image": "2"}]));
        let live = by("x", Some(&live), &json!({})).expect("nothing");
        assert_eq!(found(&live), json!([{"name": "b", "image": "2"}]));
        let refused = by("x", Some(&live), &json!({"spec": {"wrong": 1}})).expect_err("no such field");
        assert!(refused.message.ends_with(".spec.wrong: field not declared in schema"), "{}", refused.message);
    }

    #[test]
    fn applying_the_same_again_changes_nothing() {
        let config = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"replicas": 1}});
        let first = by("x", None, &config).expect("new");
        let kind = deployments();
        let empty = json!({});
        let again = Tracking { now: Timestamp::MAX, ..tracking(&kind, "x", &empty) };
        assert_eq!(apply(&again, false, Some(&first), &config).expect("same"), first);
    }

    #[test]
    fn what_was_there_before_the_first_apply_has_an_owner() {
        let live = json!({"metadata": {"name": "x"}, "spec": {"replicas": 1, "paused": true}});
        let refused = by("x", Some(&live), &json!({"spec": {"replicas": 2}})).expect_err("conflict");
        assert!(
            refused.message.contains("\"before-first-apply\" using apps/v1: .spec.replicas"),
            "{}",
            refused.message
        );
    }

    #[test]
    fn what_kubectl_applied_by_itself_is_its_own() {
        let kind = deployments();
        let empty = json!({"metadata": {}, "spec": {}});
        let note = r#"{"apiVersion":"apps/v1","spec":{"replicas":1}}"#;
        let mut live = json!({"apiVersion": "apps/v1", "metadata": {"annotations": {LAST_APPLIED: note}}, "spec": {"replicas": 1, "paused": true}});
        track(&tracking(&kind, "other", &empty), None, &mut live);
        let config = json!({"apiVersion": "apps/v1", "spec": {"replicas": 2}});
        let applied = by("kubectl", Some(&live), &config).expect("no conflict");
        assert_eq!(applied["spec"]["replicas"], 2);
        assert_eq!(meta::annotation(&applied, LAST_APPLIED), format!("{config}\n"));
        assert!(by("kubectl", Some(&live), &json!({"apiVersion": "apps/v1", "spec": {"paused": false}})).is_err());
    }
}
