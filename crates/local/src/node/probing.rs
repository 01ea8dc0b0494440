//! Asks the probes of one container again and again, and says what follows.

use super::killing::{self, Life};
use super::probe::{self, Counter, Question, Schedule};
use k8s_openapi::api::core::v1::Probe;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

/// What the container's state becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Started,
    Ready(bool),
    Dead(Question),
}

/// The probes of one life of a container; they end with it.
pub(super) struct Prober {
    verdicts: Option<mpsc::Receiver<Verdict>>,
    _task: Option<AbortOnDropHandle<()>>,
}

struct Asker {
    life: Life,
    verdicts: mpsc::Sender<Verdict>,
}

impl Prober {
    /// Never says anything.
    pub fn silent() -> Self {
        Prober { verdicts: None, _task: None }
    }

    pub fn start(life: &Life) -> Self {
        let container = &life.container;
        if [&container.startup_probe, &container.liveness_probe, &container.readiness_probe]
            .iter()
            .all(|probe| probe.is_none())
        {
            return Self::silent();
        }
        let (verdicts, receiver) = mpsc::channel(4);
        let asker = Asker { life: life.clone(), verdicts };
        Prober { verdicts: Some(receiver), _task: Some(AbortOnDropHandle::new(tokio::spawn(asker.run()))) }
    }

    pub async fn next(&mut self) -> Verdict {
        if let Some(verdicts) = &mut self.verdicts
            && let Some(verdict) = verdicts.recv().await
        {
            return verdict;
        }
        std::future::pending().await
    }
}

impl Asker {
    async fn run(self) {
        if let Some(probe) = &self.life.container.startup_probe {
            self.repeat(Question::Startup, probe).await;
        }
        let repeat = async |question, probe: &Option<Probe>| {
            if let Some(probe) = probe {
                self.repeat(question, probe).await;
            }
        };
        tokio::join!(
            repeat(Question::Liveness, &self.life.container.liveness_probe),
            repeat(Question::Readiness, &self.life.container.readiness_probe),
        );
    }

    /// Until there is nothing more to learn.
    async fn repeat(&self, question: Question, probe: &Probe) {
        let schedule = Schedule::new(probe);
        let (mut counter, mut known) = (Counter::default(), None);
        tokio::time::sleep(schedule.initial_delay).await;
        loop {
            let answer = match tokio::time::timeout(schedule.timeout, self.ask(probe)).await {
                Ok(answer) => answer,
                Err(_) => Err(format!("no answer within {}s", schedule.timeout.as_secs())),
            };
            let verdict = counter.count(answer.is_ok(), &schedule);
            if let Err(error) = answer {
                let message = format!("{} probe failed: {error}", question.name());
                let (recorder, pod) = (&self.life.sandbox.machine.recorder, &self.life.sandbox.pod);
                recorder.pod(pod, Some(&self.life.container.name)).warning("Unhealthy", message);
            }
            let news = match (question, verdict) {
                (Question::Startup, Some(true)) => Some(Verdict::Started),
                (Question::Startup | Question::Liveness, Some(false)) => Some(Verdict::Dead(question)),
                (Question::Readiness, Some(ready)) if known != Some(ready) => Some(Verdict::Ready(ready)),
                _ => None,
            };
            known = verdict.or(known);
            if let Some(news) = news
                && (self.verdicts.send(news).await.is_err() || question == Question::Startup)
            {
                return;
            }
            // While it is awaited, readiness is asked for more often than the period says: people wait for it.
            let eager = question == Question::Readiness && known != Some(true);
            tokio::time::sleep(if eager { schedule.period.min(Duration::from_secs(1)) } else { schedule.period }).await;
        }
    }

    async fn ask(&self, probe: &Probe) -> Result<(), String> {
        if let Some(answer) = probe::ask(probe, &self.life.container, self.life.sandbox.address).await {
            return answer;
        }
        match probe.exec.as_ref().and_then(|exec| exec.command.clone()) {
            Some(command) => killing::execute(&self.life, command).await,
            None if probe.grpc.is_some() => Err("this node does not ask gRPC probes".to_owned()),
            None => Ok(()),
        }
    }
}
