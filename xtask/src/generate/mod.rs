//! `cargo xtask generate`: the files that come from the code, and the check that they still do.
//!
//! Generated files are committed, so that nobody needs a build to read or install them. What differs from the code is drift, and drift
//! fails the tests.

mod cli;
mod crds;
mod examples;
mod graphs;
mod reference;
mod routes;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::ui::{self, Step};
use crate::{flink, java, workspace};

/// Options of `cargo xtask generate`.
#[derive(clap::Args)]
pub struct Args {
    /// Write nothing; fail when a file differs from what the code says
    #[arg(long)]
    pub check: bool,
}

/// A generated file: where it lies in the repository, and what it holds.
struct File {
    path: PathBuf,
    text: String,
}

/// Writes or checks the generated files.
pub fn run(args: &Args) -> Result<()> {
    let files = files()?;
    if args.check {
        let step = Step::start("Check that generated files are what the code says");
        let mut drifted: Vec<String> =
            files.iter().filter(|file| !same(file)).map(|file| format!("  {}", file.path.display())).collect();
        if !java::lister_is_current()? {
            drifted.push("  the lister's JAR, which was built from other source".to_owned());
        }
        if !drifted.is_empty() {
            drop(step);
            bail!(
                "these files differ from what the code says:\n{}\nhint: run `cargo xtask generate` and commit",
                drifted.join("\n")
            );
        }
        step.done_with(&format!("{} files", files.len() + 1));
        return Ok(());
    }
    let step = Step::start("Write generated files");
    for file in files.iter().filter(|file| !same(file)) {
        write(&workspace::root().join(&file.path), &file.text)?;
        ui::say(format!("wrote {}", file.path.display()));
    }
    step.done_with(&format!("{} files", files.len()));
    graphs::render()?;
    if !java::lister_is_current()? {
        let step = Step::start("Build the lister");
        java::build_lister(&flink::ensure(flink::DEFAULT_VERSION)?)?;
        step.done();
    }
    Ok(())
}

fn files() -> Result<Vec<File>> {
    let crds = api::crds();
    let mut files = crds::files(&crds)?;
    files.push(reference::file(&crds)?);
    files.extend(routes::files()?);
    files.extend(examples::files()?);
    files.push(cli::file());
    files.extend(graphs::files());
    Ok(files)
}

fn same(file: &File) -> bool {
    fs::read_to_string(workspace::root().join(&file.path)).is_ok_and(|text| text == file.text)
}

fn write(path: &Path, text: &str) -> Result<()> {
    let directory = path.parent().expect("a generated file lies in a directory");
    fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn committed_files_are_what_the_code_says() {
        run(&Args { check: true }).expect("`cargo xtask generate` mends this");
    }
}
