//! The bootstrap as a program of its own; the same as `flinkctl bootstrap`.

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(name = "bootstrap", version)]
enum Cli {
    Run(Box<bootstrap::Args>),
    Install(bootstrap::InstallArgs),
}

fn main() -> anyhow::Result<ExitCode> {
    kit::tls::install_provider();
    match Cli::parse() {
        Cli::Run(args) => {
            kit::telemetry::init(&args.telemetry);
            Ok(kit::process::block_on(bootstrap::run(&args))?.reason.exit_code().into())
        }
        Cli::Install(args) => {
            bootstrap::install(&args)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
