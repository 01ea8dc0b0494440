//! Runs the simulator: `simulate --minutes M`, `--seed N`, or one case of the matrix.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use simulation::campaign::{self, Tally};
use simulation::mutants::bugs;
use simulation::plans::{self, Case};
use simulation::run::Report;

#[derive(Parser)]
#[command(name = "simulate", about = "Run the control loops in a made-up world, with faults")]
struct Args {
    /// Run seeds for so many minutes
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,

    /// Run the seeds from this one on
    #[arg(long, default_value_t = 0, value_name = "N")]
    from_seed: u64,

    /// Run no more than so many seeds
    #[arg(long, default_value_t = u64::MAX, hide_default_value = true, value_name = "N")]
    seeds: u64,

    /// Run one seed, and tell its story
    #[arg(long, value_name = "N", conflicts_with = "workload")]
    seed: Option<u64>,

    /// Run the matrix first: each fault at each point of each workload
    #[arg(long)]
    matrix: bool,

    /// Run one case of the matrix, and tell its story
    #[arg(long, requires = "class", value_name = "NAME")]
    workload: Option<String>,

    /// The class of faults of the case
    #[arg(long, requires = "workload", value_name = "NAME")]
    class: Option<String>,

    /// The points of the case
    #[arg(long, value_delimiter = ',', value_name = "N")]
    point: Vec<u64>,

    /// Put known bugs back in, one after the other, and see that each is found
    #[arg(long)]
    mutants: bool,

    /// Stop after so many violations
    #[arg(long, default_value_t = 20, value_name = "N")]
    findings: usize,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(seed) = args.seed {
        let (plan, _) = plans::random(seed, None, true);
        println!("seed {seed}: {}", plan.workload.name);
        return tell(&plan.run());
    }
    if let (Some(workload), Some(class)) = (&args.workload, &args.class) {
        return match Case::find(workload, class, &args.point) {
            Some(case) => tell(&case.run(None, true)),
            None => {
                eprintln!("there is no such workload or class");
                ExitCode::from(2)
            }
        };
    }
    if args.mutants { mutants() } else { many(&args) }
}

/// Seeds that are tried before the matrix is.
const SEEDS: u64 = 3000;

fn mutants() -> ExitCode {
    let mut missed = 0;
    println!("{:<52} {:>6}  {:<10} seen in", "bug", "runs", "breaks");
    for bug in bugs::all() {
        let (runs, finding) = campaign::hunt(bug, SEEDS);
        let broken = finding.as_ref().map_or("not found", |finding| finding.violation.invariant);
        missed += usize::from(finding.is_none());
        println!("{:<52} {runs:>6}  {broken:<10} {}", bug.name, bug.seen);
    }
    println!("\n{} bugs, {missed} not found", bugs::all().len());
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn tell(report: &Report) -> ExitCode {
    for violation in &report.violations {
        println!("VIOLATION of {} at {:?}: {}", violation.invariant, violation.at, violation.what);
    }
    println!("{} events, {} faults, {:?} of world time", report.events, report.faults, report.took);
    if report.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn many(args: &Args) -> ExitCode {
    let started = Instant::now();
    let mut tally = Tally::default();
    if args.matrix {
        tally.add(campaign::matrix(&campaign::workloads(), &campaign::no_bug, args.findings));
    }
    let time = Duration::from_secs_f64(args.minutes * 60.0);
    if !time.is_zero() {
        tally.add(campaign::random(args.from_seed, args.seeds, time, &campaign::no_bug, args.findings));
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
    for finding in tally.findings.iter().take(args.findings) {
        println!("{} at {:?}: {}", finding.violation.invariant, finding.violation.at, finding.violation.what);
        println!("    cargo xtask simulate {}", finding.again);
    }
    if tally.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn table(tally: &Tally) {
    println!("{:<20} {:<16} {:>9} {:>10} {:>10}", "workload", "faults", "runs", "faults", "violations");
    for ((workload, class), [runs, faults, violations]) in &tally.rows {
        println!("{workload:<20} {class:<16} {runs:>9} {faults:>10} {violations:>10}");
    }
}
