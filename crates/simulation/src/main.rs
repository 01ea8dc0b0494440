//! Runs the simulator: `cargo xtask simulate --minutes M`, `--seed N`, or one case of the matrix.

use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::Parser;
use simulation::campaign::{self, Bugs, Finding, Tally, no_bug};
use simulation::faults::Only;
use simulation::mutants::{Mutation, bugs, hunt};
use simulation::plans::{self, Case};
use simulation::run::{Report, Telling};
use simulation::{scenario, shrink};

#[derive(Parser)]
#[command(bin_name = "cargo xtask simulate", about = "Run the control loops in a made-up world, with faults")]
struct Args {
    /// Run seeds for so many minutes; 1 if nothing else is to be run
    #[arg(long, value_name = "M")]
    minutes: Option<f64>,

    /// Run the seeds from this one on
    #[arg(long, default_value_t = 0, value_name = "N")]
    from_seed: u64,

    /// Run no more than so many seeds
    #[arg(long, default_value_t = u64::MAX, hide_default_value = true, value_name = "N")]
    seeds: u64,

    /// Run one seed, and tell its story
    #[arg(long, value_name = "N", conflicts_with = "workload")]
    seed: Option<u64>,

    /// Of this seed, let only the first so many mishaps happen
    #[arg(long, value_name = "K", requires = "seed")]
    mishaps: Option<u64>,

    /// Leave out these of them
    #[arg(long, value_name = "N", requires = "mishaps", value_delimiter = ',')]
    without: Vec<u64>,

    /// Run the matrix first: each fault at each point of each workload
    #[arg(long)]
    matrix: bool,

    /// Run one workload, and tell its story
    #[arg(long, value_name = "NAME")]
    workload: Option<String>,

    /// With faults of this class
    #[arg(long, requires = "workload", value_name = "NAME")]
    class: Option<String>,

    /// At these of its points
    #[arg(long, requires = "class", value_delimiter = ',', value_name = "N")]
    point: Vec<u64>,

    /// Put known bugs back in, one after the other, and see that each is found
    #[arg(long)]
    mutants: bool,

    /// Put this known bug back in: hunt it, or tell the story of a seed or case with it
    #[arg(long, value_name = "NAME")]
    mutant: Option<String>,

    /// Hunt a bug for no more than so many runs
    #[arg(long, default_value_t = 3000, value_name = "N")]
    runs: u64,

    /// Stop after so many violations
    #[arg(long, default_value_t = 20, value_name = "N")]
    findings: usize,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let all = bugs::all();
    let bug = match &args.mutant {
        None => None,
        Some(name) => match all.iter().find(|bug| bug.name.contains(name.as_str())) {
            Some(bug) => Some(*bug),
            None => {
                eprintln!("there is no such bug");
                return ExitCode::from(2);
            }
        },
    };
    let broken = move || bug.map(|bug| Rc::new(bug) as Rc<dyn Mutation>);
    if let Some(seed) = args.seed {
        let only = args.mishaps.map(|first| Only { first, without: args.without.iter().copied().collect() });
        println!("seed {seed}: {}", plans::workload(seed).name);
        return tell(&shrink::run(seed, &broken, only, Telling::Aloud));
    }
    if let Some(workload) = &args.workload {
        return one(workload, args.class.as_deref(), &args.point, &broken);
    }
    let hunted = bug.map_or_else(|| if args.mutants { all } else { Vec::new() }, |bug| vec![bug]);
    let seeds = args.minutes.or((!args.matrix && hunted.is_empty()).then_some(1.0));
    let well = [
        (!args.matrix && seeds.is_none()) || many(&args, seeds.unwrap_or_default()),
        hunted.is_empty() || mutants(&hunted, args.runs),
    ];
    if well == [true; 2] { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One workload, with faults or without.
fn one(workload: &str, class: Option<&str>, points: &[u64], bugs: Bugs<'_>) -> ExitCode {
    let Some(found) = scenario::all().into_iter().find(|one| one.name == workload) else {
        let names: Vec<_> = scenario::all().iter().map(|one| one.name).collect();
        eprintln!("there is no workload {workload:?}\nhint: there are {names:?}");
        return ExitCode::from(2);
    };
    let Some(class) = class else {
        return tell(&campaign::safely(|| plans::reference(&found, bugs(), Telling::Aloud)));
    };
    let Some(case) = Case::find(workload, class, points) else {
        let names: Vec<_> = plans::VERDICTS.iter().map(|(name, _)| name).collect();
        eprintln!("there is no class {class:?}\nhint: there are {names:?}");
        return ExitCode::from(2);
    };
    let reference = campaign::safely(|| plans::reference(&found, bugs(), Telling::Nobody));
    tell(&campaign::safely(|| case.compared(&reference, bugs(), Telling::Aloud)))
}

/// Whether all these bugs are found.
fn mutants(bugs: &[bugs::Bug], most: u64) -> bool {
    println!("{:<52} {:>6}  {:<8} {:<36} found by", "bug", "runs", "breaks", "seen in");
    let hunts = hunt::hunt_all(bugs, most, |hunt| {
        let (bug, runs) = (&hunt.bug, hunt.runs);
        let (broken, again) = match &hunt.finding {
            Some(finding) => (finding.violation.invariant, finding.again.as_str()),
            None => ("nothing", "NOT FOUND"),
        };
        println!("{:<52} {runs:>6}  {broken:<8} {:<36} {again}", bug.name, bug.seen);
    });
    let missed = hunts.iter().filter(|hunt| hunt.finding.is_none()).count();
    println!("\n{} bugs, {missed} not found", hunts.len());
    missed == 0
}

fn tell(report: &Report) -> ExitCode {
    for violation in &report.violations {
        println!("VIOLATION of {} at {:?}: {}", violation.invariant, violation.at, violation.what);
    }
    println!("{} events, {} faults, {:?} of world time", report.events, report.faults, report.took);
    if report.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Matrix and seeds; whether all went well.
fn many(args: &Args, minutes: f64) -> bool {
    let started = Instant::now();
    let mut tally = Tally::default();
    if args.matrix {
        tally.add(campaign::matrix(&scenario::all(), &no_bug, args.findings));
    }
    let time = Duration::from_secs_f64(minutes * 60.0);
    if !time.is_zero() {
        tally.add(campaign::random(args.from_seed, args.seeds, time, &no_bug, args.findings));
    }
    table(&tally);
    let took = started.elapsed();
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let rate = tally.runs as f64 / took.as_secs_f64();
    println!(
        "\n{} runs, {} events, {} faults, {} violations in {:.0} s ({rate:.0} runs a second)",
        tally.runs,
        tally.events,
        tally.faults,
        tally.findings.len(),
        took.as_secs_f64()
    );
    tally.findings.iter().take(args.findings).for_each(explain);
    tally.findings.is_empty()
}

fn table(tally: &Tally) {
    println!("{:<20} {:<16} {:>9} {:>10} {:>10}", "workload", "faults", "runs", "faults", "violations");
    for ((workload, class), [runs, faults, violations]) in &tally.rows {
        println!("{workload:<20} {class:<16} {runs:>9} {faults:>10} {violations:>10}");
    }
}

/// Lines of a story that are printed with a finding: the last ones.
const LINES: usize = 40;

/// What went wrong, how it came to it with as few mishaps as possible, and how to see it again.
fn explain(finding: &Finding) {
    let violation = &finding.violation;
    println!("\n{} at {:?}: {}", violation.invariant, violation.at, violation.what);
    println!("    cargo xtask simulate {}", finding.again);
    let Some(seed) = finding.seed else { return };
    let Some(shrunk) = shrink::shrink(seed, &no_bug, violation) else { return };
    let tale = &shrunk.report.tale;
    tale.iter().skip(tale.len().saturating_sub(LINES)).for_each(|line| println!("        {line}"));
    for violation in &shrunk.report.violations {
        println!("        {} at {:?}: {}", violation.invariant, violation.at, violation.what);
    }
    println!("    the least of it: cargo xtask simulate {}", shrunk.again(seed));
}
