//! How many replicas the old and the new replica sets of a deployment should have next: numbers in, numbers out.
//!
//! Invariant: a step never goes above `wanted + surge` replicas in all, nor takes away an available one when that would
//! leave fewer than `wanted - unavailable`.

/// One ReplicaSet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Set {
    pub replicas: i64,
    pub available: i64,
}

/// What a rollout decides on.
#[derive(Debug, Clone)]
pub struct View {
    pub recreate: bool,
    pub wanted: i64,
    pub surge: i64,
    pub unavailable: i64,
    pub new: Option<Set>,
    pub old: Vec<Set>,
    /// Pods of an old ReplicaSet still run, be it on their way out.
    pub running_old_pods: bool,
}

/// The next numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Nothing if the new ReplicaSet must not exist yet.
    pub new: Option<i64>,
    /// In the order of the view.
    pub old: Vec<i64>,
}

pub fn plan(view: &View) -> Plan {
    if view.recreate { recreate(view) } else { rolling(view) }
}

/// Everything old goes before anything new comes.
fn recreate(view: &View) -> Plan {
    let quiet = view.old.iter().all(|set| set.replicas == 0) && !view.running_old_pods;
    let new = if quiet { Some(view.wanted) } else { view.new.map(|set| set.replicas) };
    Plan { new, old: vec![0; view.old.len()] }
}

fn rolling(view: &View) -> Plan {
    let old_total: i64 = view.old.iter().map(|set| set.replicas).sum();
    let current = view.new.map_or(0, |set| set.replicas);
    let room = (view.wanted + view.surge - old_total - current).max(0);
    let new = if current >= view.wanted { view.wanted } else { (current + room).min(view.wanted) };
    Plan { new: Some(new), old: shrink(view, old_total) }
}

/// The old ones shrink as far as availability allows: what is not available anyway goes first.
fn shrink(view: &View, old_total: i64) -> Vec<i64> {
    let mut replicas: Vec<i64> = view.old.iter().map(|set| set.replicas).collect();
    if old_total == 0 {
        return replicas;
    }
    let floor = view.wanted - view.unavailable;
    let new_unavailable = view.new.map_or(0, |set| (set.replicas - set.available).max(0));
    let total = old_total + view.new.map_or(0, |set| set.replicas);
    let mut may_go = (total - floor - new_unavailable).max(0);
    for (left, set) in replicas.iter_mut().zip(&view.old) {
        let dead = (set.replicas - set.available).max(0).min(may_go);
        *left -= dead;
        may_go -= dead;
    }
    let available: i64 = view.old.iter().chain(&view.new).map(|set| set.available).sum();
    let mut spare = (available - floor).max(0).min(may_go);
    for left in &mut replicas {
        let less = (*left).min(spare);
        *left -= less;
        spare -= less;
    }
    replicas
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(recreate: bool, new: Option<Set>, old: Vec<Set>) -> View {
        View { recreate, wanted: 3, surge: 1, unavailable: 0, new, old, running_old_pods: false }
    }

    const fn set(replicas: i64, available: i64) -> Set {
        Set { replicas, available }
    }

    #[test]
    fn the_first_replica_set_has_all() {
        assert_eq!(plan(&view(false, None, vec![])), Plan { new: Some(3), old: vec![] });
        assert_eq!(plan(&view(true, None, vec![])), Plan { new: Some(3), old: vec![] });
    }

    #[test]
    fn recreate_waits_until_the_last_old_pod_is_gone() {
        let mut view = view(true, None, vec![set(0, 0)]);
        view.running_old_pods = true;
        assert_eq!(plan(&view), Plan { new: None, old: vec![0] });
        view.running_old_pods = false;
        assert_eq!(plan(&view), Plan { new: Some(3), old: vec![0] });
    }

    /// Follows a rollout whose new pods become available at once, and looks at the bounds in each step.
    #[test]
    fn a_rolling_update_arrives_within_its_bounds() {
        let mut view = view(false, None, vec![set(3, 3)]);
        for _ in 0..10 {
            let next = plan(&view);
            let new = next.new.unwrap();
            let old: i64 = next.old.iter().sum();
            assert!(new + view.old[0].replicas <= 4, "{next:?} surges too far");
            let available = view.new.map_or(0, |set| set.available) + view.old[0].available.min(old);
            assert!(available >= 3, "{next:?} takes away too much");
            view.new = Some(set(new, new));
            view.old = next.old.iter().map(|replicas| set(*replicas, *replicas)).collect();
        }
        assert_eq!((view.new, view.old), (Some(set(3, 3)), vec![set(0, 0)]));
    }

    #[test]
    fn a_new_version_that_does_not_come_up_takes_nothing_away() {
        let mut view = view(false, None, vec![set(3, 3)]);
        for _ in 0..5 {
            let next = plan(&view);
            view.new = next.new.map(|new| set(new, 0));
            view.old = next.old.iter().map(|replicas| set(*replicas, *replicas)).collect();
        }
        assert_eq!((view.new, view.old), (Some(set(1, 0)), vec![set(3, 3)]));
    }

    #[test]
    fn old_replicas_that_never_came_up_make_room() {
        assert_eq!(plan(&view(false, Some(set(1, 0)), vec![set(3, 0)])).old, vec![3]);
        assert_eq!(plan(&view(false, Some(set(1, 1)), vec![set(3, 0)])).old, vec![2]);
        assert_eq!(plan(&view(false, Some(set(3, 3)), vec![set(1, 0)])).old, vec![0]);
    }
}
