//! The status of a Deployment: counts and the conditions `Available` and `Progressing`.
//!
//! Invariant: the time of a condition moves only when its status does, so that an unchanged Deployment is not written.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::object;

/// The status as it should be, and when to look again.
pub fn status(deployment: &Value, new: Option<&Value>, old: &[&Value], now: Timestamp) -> (Value, Option<Timestamp>) {
    let sum = |field: &str, sets: &mut dyn Iterator<Item = &Value>| -> i64 {
        sets.map(|set| object::number(set, &format!("/status/{field}")).unwrap_or(0)).sum()
    };
    let total = |field: &str| sum(field, &mut old.iter().copied().chain(new));
    let wanted = object::number(deployment, "/spec/replicas").unwrap_or(1);
    let (replicas, available) = (total("replicas"), total("availableReplicas"));
    let updated = sum("replicas", &mut new.into_iter());
    let counts = Counts { wanted, replicas, available, updated };
    let (progressing, wake) = progressing(deployment, new, &counts, now);
    let mut status = json!({
        "observedGeneration": object::generation(deployment),
        "replicas": replicas,
        "updatedReplicas": updated,
        "readyReplicas": total("readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": (wanted.max(replicas) - available).max(0),
    });
    let mut conditions = vec![keep_times(deployment, &availability(deployment, &counts), now)];
    conditions.push(keep_times(deployment, &progressing, now));
    status["conditions"] = conditions.into();
    (status, wake)
}

struct Counts {
    wanted: i64,
    replicas: i64,
    available: i64,
    updated: i64,
}

fn availability(deployment: &Value, counts: &Counts) -> Value {
    let most = match &deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] {
        Value::Number(number) => number.as_i64().unwrap_or(0),
        Value::String(text) => counts.wanted * text.trim_end_matches('%').parse::<i64>().unwrap_or(25) / 100,
        _ => 0,
    };
    if counts.available >= counts.wanted - most {
        condition("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
        let message = "Deployment does not have minimum availability.";
        condition("Available", "False", "MinimumReplicasUnavailable", message)
    }
}

fn progressing(deployment: &Value, new: Option<&Value>, counts: &Counts, now: Timestamp) -> (Value, Option<Timestamp>) {
    let set = new.map_or_else(|| object::name(deployment).to_owned(), |set| object::name(set).to_owned());
    let done = new.is_some()
        && counts.updated == counts.wanted
        && counts.replicas == counts.wanted
        && counts.available >= counts.wanted;
    if done {
        let message = format!("ReplicaSet \"{set}\" has successfully progressed.");
        return (condition("Progressing", "True", "NewReplicaSetAvailable", &message), None);
    }
    let current = object::condition(deployment, "Progressing");
    // Whatever a change of numbers is, it is progress; the deadline counts from the last one.
    let moved = ["replicas", "updatedReplicas", "availableReplicas"]
        .into_iter()
        .zip([counts.replicas, counts.updated, counts.available])
        .any(|(field, count)| object::number(deployment, &format!("/status/{field}")).unwrap_or(0) != count);
    if let Some(over) = current.filter(|found| !moved && found["reason"] == "ProgressDeadlineExceeded") {
        return (over.clone(), None);
    }
    let renewed = moved || current.is_none_or(|found| found["reason"] == "NewReplicaSetAvailable");
    let since = current.filter(|_| !renewed).and_then(|found| object::time(found, "/lastUpdateTime")).unwrap_or(now);
    let limit = SignedDuration::from_secs(object::number(deployment, "/spec/progressDeadlineSeconds").unwrap_or(600));
    let deadline = since.checked_add(limit).unwrap_or(Timestamp::MAX);
    if now >= deadline {
        let message = format!("ReplicaSet \"{set}\" has timed out progressing.");
        return (condition("Progressing", "False", "ProgressDeadlineExceeded", &message), None);
    }
    let message = format!("ReplicaSet \"{set}\" is progressing.");
    let mut condition = condition("Progressing", "True", "ReplicaSetUpdated", &message);
    condition["lastUpdateTime"] = object::seconds(since).into();
    (condition, Some(deadline))
}

fn condition(kind: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({"type": kind, "status": status, "reason": reason, "message": message})
}

/// Takes over the times of the condition that is there, as far as they still hold.
fn keep_times(deployment: &Value, condition: &Value, now: Timestamp) -> Value {
    let mut condition = condition.clone();
    let now = Value::from(object::seconds(now));
    let found = object::condition(deployment, object::text(&condition, "/type"));
    let same = |field: &str| found.is_some_and(|found| found[field] == condition[field]);
    let transition = found.filter(|_| same("status")).map(|found| found["lastTransitionTime"].clone());
    let update = found.filter(|_| same("status") && same("reason") && same("message"));
    let update = update.map(|found| found["lastUpdateTime"].clone());
    condition["lastTransitionTime"] = transition.unwrap_or_else(|| now.clone());
    if condition.get("lastUpdateTime").is_none() {
        condition["lastUpdateTime"] = update.unwrap_or(now);
    }
    condition
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment() -> Value {
        json!({"metadata": {"name": "d", "generation": 2}, "spec": {"replicas": 1, "progressDeadlineSeconds": 60}})
    }

    fn set(available: i64) -> Value {
        let status = json!({"replicas": 1, "readyReplicas": available, "availableReplicas": available});
        json!({"metadata": {"name": "d-x"}, "spec": {"replicas": 1}, "status": status})
    }

    fn reason<'a>(deployment: &'a Value, kind: &str) -> &'a str {
        object::text(object::condition(deployment, kind).unwrap(), "/reason")
    }

    #[test]
    fn a_deployment_becomes_available_and_then_rests() {
        let mut deployment = deployment();
        let start = Timestamp::UNIX_EPOCH;
        let (status, wake) = status(&deployment, Some(&set(0)), &[], start);
        assert_eq!(wake, Some(start + SignedDuration::from_secs(60)));
        deployment["status"] = status;
        assert_eq!(reason(&deployment, "Available"), "MinimumReplicasUnavailable");

        let later = start + SignedDuration::from_secs(10);
        deployment["status"] = super::status(&deployment, Some(&set(1)), &[], later).0;
        assert_eq!(reason(&deployment, "Progressing"), "NewReplicaSetAvailable");
        assert_eq!(deployment["status"]["observedGeneration"], 2);
        let again = super::status(&deployment, Some(&set(1)), &[], later + SignedDuration::from_secs(1000));
        assert_eq!(again, (deployment["status"].clone(), None), "nothing changes any more");
    }

    #[test]
    fn a_deployment_that_does_not_move_times_out() {
        let mut deployment = deployment();
        let start = Timestamp::UNIX_EPOCH;
        deployment["status"] = status(&deployment, Some(&set(0)), &[], start).0;
        let before = start + SignedDuration::from_secs(59);
        assert_eq!(status(&deployment, Some(&set(0)), &[], before).0, deployment["status"]);
        deployment["status"] = status(&deployment, Some(&set(0)), &[], start + SignedDuration::from_secs(60)).0;
        assert_eq!(reason(&deployment, "Progressing"), "ProgressDeadlineExceeded");
        let much_later = start + SignedDuration::from_secs(90);
        assert_eq!(status(&deployment, Some(&set(0)), &[], much_later), (deployment["status"].clone(), None));
    }
}
