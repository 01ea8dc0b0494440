//! The supervisor as a program of its own; the same as `flinkctl supervisor`.

use clap::Parser;

#[derive(Parser)]
#[command(name = "supervisor", version)]
enum Cli {
    Run(Box<supervisor::Args>),
}

fn main() -> anyhow::Result<()> {
    kit::tls::install_provider();
    let Cli::Run(args) = Cli::parse();
    kit::telemetry::init(&args.telemetry);
    kit::process::block_on(supervisor::run(*args))??;
    Ok(())
}
