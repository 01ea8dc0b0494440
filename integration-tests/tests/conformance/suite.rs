//! The tests of the suite: one a case, one a seed.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::answer::Answer;
use crate::case::{self, Case, Step};
use crate::kubectl;
use crate::program::Run;
use crate::random;
use crate::servers::Servers;
use integration_tests::conformance::compare::differences;
use integration_tests::conformance::normal::Normal;

/// Programs out of a seed, and the steps of each: five thousand steps in all.
const SEEDS: u64 = 100;
const STEPS: usize = 50;
/// As much of an answer is shown.
const SHOWN: usize = 900;
/// Both servers wait more than they work.
const THREADS: usize = 8;

/// Runs all cases and seeds.
pub fn run() -> ExitCode {
    match play() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn play() -> Result<ExitCode> {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(THREADS));
    let cases = case::read(&directory().join("cases"))?;
    let sessions = kubectl::read(&directory().join("kubectl"))?;
    if arguments.list {
        let names = cases
            .into_iter()
            .map(|case| case.name)
            .chain(sessions.into_iter().map(|session| session.name))
            .chain((0..SEEDS).map(random::name));
        return Ok(libtest_mimic::run(&arguments, names.map(|name| Trial::test(name, || Ok(()))).collect()).exit_code());
    }
    let runtime = Arc::new(Runtime::new().context("cannot start a runtime")?);
    let servers = Arc::new(runtime.block_on(Servers::start(&directory().join("definitions.yaml")))?);
    let mut trials: Vec<Trial> = Vec::new();
    for (number, case) in cases.into_iter().enumerate() {
        trials.push(trial(&runtime, &servers, case.name.clone(), async move |servers| {
            check(servers, &format!("case-{number}"), &case).await
        }));
    }
    for (number, session) in sessions.into_iter().enumerate() {
        trials.push(trial(&runtime, &servers, session.name.clone(), async move |servers| {
            kubectl::check(servers, &format!("kubectl-{number}"), &session).await
        }));
    }
    for seed in 0..SEEDS {
        trials.push(trial(&runtime, &servers, random::name(seed), async move |servers| {
            random::check(servers, seed, STEPS).await
        }));
    }
    // Several areas at once: `discovery|tables`.
    if let Some(filter) = arguments.filter.take_if(|filter| filter.contains('|')) {
        trials.retain(|trial| filter.split('|').any(|part| trial.name().contains(part)));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    let servers = Arc::into_inner(servers).context("a test still holds the servers")?;
    runtime.block_on(servers.stop())?;
    Ok(conclusion.exit_code())
}

fn trial(
    runtime: &Arc<Runtime>,
    servers: &Arc<Servers>,
    name: String,
    body: impl AsyncFnOnce(&Servers) -> Result<()> + Send + 'static,
) -> Trial {
    let (runtime, servers) = (runtime.clone(), servers.clone());
    Trial::test(name, move || runtime.block_on(body(&servers)).map_err(|error| Failed::from(format!("{error:#}"))))
}

/// Runs a case on both servers and fails with the first step whose answers differ.
async fn check(servers: &Servers, namespace: &str, case: &Case) -> Result<()> {
    if let Some(difference) = first_difference(servers, namespace, &case.steps).await? {
        anyhow::bail!("{difference}");
    }
    Ok(())
}

/// The first step whose answers differ without being marked as such, with what is different. Later steps are still put to the genuine server, so
/// that a case which does not show what it says fails for that.
pub async fn first_difference(servers: &Servers, namespace: &str, steps: &[Step]) -> Result<Option<String>> {
    let (mut genuine, mut local) =
        tokio::try_join!(Run::start(&servers.genuine, namespace), Run::start(&servers.local, namespace))?;
    let (mut left, mut right) = (Normal::default(), Normal::default());
    let mut first = None;
    let show = std::env::var_os("CONFORMANCE_SHOW").is_some();
    for (number, step) in steps.iter().enumerate() {
        if first.is_some() && step.optional {
            break;
        }
        let asked = async {
            let said = genuine.take(step).await.with_context(|| format!("step {}, the genuine server", number + 1))?;
            if show {
                let body: String = said.body.to_string().chars().take(SHOWN).collect();
                println!("{namespace} {}: {} {body} {:?}", step.request, said.code, said.warnings);
            }
            proves(step, &said)
                .with_context(|| format!("step {}, `{}`, is not what the case says", number + 1, step.request))?;
            anyhow::Ok(said)
        };
        if first.is_some() {
            asked.await?;
            continue;
        }
        let (said, answered) = tokio::join!(asked, local.take(step));
        let said = said?;
        let answered = match answered {
            Ok(answered) => answered,
            Err(error) => {
                first = Some(format!("step {}, the local server: {error:#}", number + 1));
                continue;
            }
        };
        let found = differences(&part(step, left.of(&said.whole())), &part(step, right.of(&answered.whole())));
        match (&step.differs, found.is_empty()) {
            (None, true) | (Some(_), false) => {}
            (None, false) => first = Some(explain(number, step, &found, &said, &answered)),
            (Some(reason), true) => {
                first = Some(format!(
                    "step {}, `{}`, is marked as different ({reason}), but is the same: take the mark away",
                    number + 1,
                    step.request
                ));
            }
        }
    }
    Ok(first)
}

/// Whether the genuine server said what the case says that it does. A step that need not be taken claims nothing.
fn proves(step: &Step, said: &Answer) -> Result<()> {
    match (step.code, &step.until) {
        (Some(code), _) => ensure!(said.code == code, "the genuine server answers {}: {}", said.code, said.body),
        (None, None) if !step.optional => {
            ensure!((200..300).contains(&said.code), "the genuine server answers {}: {}", said.code, said.body);
        }
        _ => {}
    }
    for (pointer, wanted) in &step.shows {
        ensure!(said.at(pointer) == wanted, "the genuine server has {} at {pointer}", said.at(pointer));
    }
    Ok(())
}

/// What of an answer is compared.
fn part(step: &Step, whole: Value) -> Value {
    let mut whole = whole;
    for pointer in &step.without {
        if let Some((parent, name)) = pointer.rsplit_once('/')
            && let Some(Value::Object(members)) = whole.pointer_mut(&format!("/body{parent}"))
        {
            members.remove(name);
        }
    }
    if step.only.is_empty() {
        return whole;
    }
    let parts: Vec<&Value> =
        step.only.iter().map(|pointer| whole["body"].pointer(pointer).unwrap_or(&Value::Null)).collect();
    json!({ "code": whole["code"], "parts": parts })
}

fn explain(number: usize, step: &Step, found: &[String], genuine: &Answer, local: &Answer) -> String {
    let brief = |answer: &Answer| answer.body["message"].as_str().map(str::to_owned).unwrap_or_default();
    format!(
        "step {}, `{}`: the answers differ\n  {}\n  genuine {} {}\n  local   {} {}",
        number + 1,
        step.request,
        found.join("\n  "),
        genuine.code,
        brief(genuine),
        local.code,
        brief(local),
    )
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance")
}
