//! The operator as a program of its own; the same as `flinkctl operator`.

use clap::Parser;

#[derive(Parser)]
#[command(name = "operator", version)]
enum Cli {
    Run(Box<operator::Args>),
}

fn main() -> anyhow::Result<()> {
    kit::tls::install_provider();
    let Cli::Run(args) = Cli::parse();
    kit::telemetry::init(&args.telemetry);
    kit::process::block_on(operator::run(*args))??;
    Ok(())
}
