//! What becomes of a decision: its record is written, its effects are carried out, and the witness looks on.

use api::annotations::Action;
use api::record::{ClusterPhase, ClusterRecord, Command, JobPhase, JobRecord, Stop};
use lifecycle::command::{Outcome, Report};
use lifecycle::transitions::{CLUSTER, Edge, JOB};
use lifecycle::{cluster, job};

use super::actions::Fate;
use super::looks::request;
use super::world::{Ask, Late, Object, World};
use super::{Laws, ONCE, TRUE, clock};
use crate::table::phase_name;

/// Whether what is reported as done was done.
fn job_has_done(report: &Report, before: &JobRecord, after: &JobRecord) -> bool {
    match report.action.as_str() {
        _ if report.outcome != Outcome::Done => true,
        "START" => after.phase == JobPhase::Running,
        "STOP" => matches!(after.phase, JobPhase::Ended { .. }),
        "TRIGGER_SAVEPOINT" => after.savepoint.is_some() && after.savepoint != before.savepoint,
        _ => after.savepoint.is_none(),
    }
}

fn cluster_has_done(report: &Report, after: &ClusterRecord) -> bool {
    match report.action.as_str() {
        _ if report.outcome != Outcome::Done => true,
        "START" => matches!(after.phase, ClusterPhase::Started { .. }),
        _ => after.phase == ClusterPhase::Stopped,
    }
}

impl World {
    pub fn carry_out_job(&mut self, mut step: job::Step, base: &Object<JobRecord>, fate: Fate, laws: &Laws) {
        assert!(step.wake.is_none_or(|wake| wake > clock::now(self.triggers)), "a time to wake up that has passed");
        let mut after = base.clone();
        if step.record != base.record {
            if laws.writes_are_guarded && self.job.as_ref() != Some(base) {
                return;
            }
            let Some(object) = self.job.as_mut() else { return };
            let draws = |record: &JobRecord| match (&record.phase, &record.operation) {
                (JobPhase::Stopping { stop: Stop::Savepoint { trigger_id, .. }, .. }, _) => Some(trigger_id.clone()),
                (_, operation) => operation.as_ref().map(|operation| operation.trigger_id.clone()),
            };
            let drawn = draws(&step.record).filter(|draw| Some(draw) != draws(&base.record).as_ref());
            self.triggers += u8::from(drawn.is_some());
            clock::plain_job(&mut step.record, self.storage.len());
            object.record.clone_from(&step.record);
            after.record = step.record.clone();
            let news = (phase_name(&base.record.phase), phase_name(&step.record.phase));
            let changed = base.record.phase != step.record.phase;
            self.witness_edge(news, changed, JOB);
            let heard = self.position(step.record.attempt.as_ref().and_then(|attempt| attempt.savepoint.as_deref()));
            self.witness.newest = self.witness.newest.max(heard);
            let untrue = step.report.as_ref().is_some_and(|report| !job_has_done(report, &base.record, &step.record));
            self.witness.breaks(TRUE, untrue);
            let taken = self.witness_command(base, base.record.command.as_ref(), step.record.command.as_ref());
            let refused = step.report.as_ref().is_some_and(|report| report.outcome == Outcome::Refused);
            let unsaved = |ask: &Ask| ask.action == Action::Stop && !laws.savepoints_are_automatic;
            let waives = |ask: &Ask| ask.without_savepoint || ask.action == Action::ForgetSavepoint || unsaved(ask);
            self.witness.waived |= taken && !refused && base.ask.as_ref().is_some_and(waives);
        }
        match fate {
            Fate::Done => step.effects.into_iter().for_each(|effect| self.run_job(effect, &after, laws)),
            Fate::Crash => {}
            Fate::Late => {
                let late = |effect| Late::Job(effect, Box::new(after.clone()));
                self.late.extend(step.effects.into_iter().map(late));
            }
        }
    }

    pub fn carry_out_cluster(
        &mut self,
        mut step: cluster::Step,
        base: &Object<ClusterRecord>,
        fate: Fate,
        laws: &Laws,
    ) {
        assert!(step.wake.is_none_or(|wake| wake > clock::now(self.triggers)), "a time to wake up that has passed");
        let mut after = base.clone();
        if step.record != base.record {
            if laws.writes_are_guarded && self.cluster.as_ref() != Some(base) {
                return;
            }
            let Some(object) = self.cluster.as_mut() else { return };
            clock::plain_cluster(&mut step.record);
            object.record.clone_from(&step.record);
            after.record = step.record.clone();
            let news = (phase_name(&base.record.phase), phase_name(&step.record.phase));
            let changed = base.record.phase != step.record.phase;
            self.witness_edge(news, changed, CLUSTER);
            let untrue = step.report.as_ref().is_some_and(|report| !cluster_has_done(report, &step.record));
            self.witness.breaks(TRUE, untrue);
            self.witness_command(base, base.record.command.as_ref(), step.record.command.as_ref());
        }
        match fate {
            Fate::Done => step.effects.into_iter().for_each(|effect| self.run_cluster(effect, &after, laws)),
            Fate::Crash => {}
            Fate::Late => {
                let late = |effect| Late::Cluster(effect, Box::new(after.clone()));
                self.late.extend(step.effects.into_iter().map(late));
            }
        }
    }

    fn witness_edge(&mut self, (from, to): (String, String), changed: bool, published: &[Edge]) {
        if changed && from != to && !published.iter().any(|edge| edge.from == from && edge.to == to) {
            self.witness.unpublished = Some((from, to));
        }
    }

    fn witness_command<R>(&mut self, object: &Object<R>, before: Option<&Command>, after: Option<&Command>) -> bool {
        let name = |command: &Command| (command.id.clone(), command.action);
        let news = before.map(name) != after.map(name);
        let asked = request(object).is_some_and(|request| after.is_some_and(|command| command.id == request.id));
        let Some(ask) = object.ask.as_ref().filter(|_| news && asked) else { return false };
        self.witness.breaks(ONCE, self.witness.taken.contains(&ask.serial));
        self.witness.taken.push(ask.serial);
        self.witness.taken.sort_unstable();
        self.witness.taken.dedup();
        true
    }
}
