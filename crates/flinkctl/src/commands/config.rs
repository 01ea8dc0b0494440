//! `flinkctl config`.

use clap::Subcommand;

use crate::connection::{Context, Contexts, FileArgs, PlaceArgs};
use crate::failure::Failure;
use crate::print::{self, Cell, Column, Format, Habit, OutputArgs, Table};
use crate::session::{pretty, yaml};
use crate::{ExitStatus, Result};

#[derive(Subcommand)]
pub enum Command {
    /// Make a context, or set what is said of one; an empty value takes one away
    #[command(
        after_help = "Example:\n  flinkctl config set-context prod --host=flink.example.com --tls-cert=me.pem --tls-key=me.key --tls-ca=ca.pem --use"
    )]
    SetContext(Box<Set>),
    /// Use a context from now on
    #[command(after_help = "Example:\n  flinkctl config use-context prod")]
    UseContext(Named),
    /// List contexts
    #[command(after_help = "Example:\n  flinkctl config get-contexts")]
    GetContexts(Show),
    /// Print the name of the context in use
    #[command(after_help = "Example:\n  flinkctl config current-context")]
    CurrentContext(File),
    /// Forget a context
    #[command(after_help = "Example:\n  flinkctl config delete-context prod")]
    DeleteContext(Named),
    /// Print the file
    #[command(after_help = "Example:\n  flinkctl config view")]
    View(Show),
}

#[derive(clap::Args)]
pub struct Set {
    /// Name of the context
    name: String,
    /// Use it from now on
    #[arg(long = "use")]
    use_it: bool,
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    file: FileArgs,
}

#[derive(clap::Args)]
pub struct Named {
    /// Name of the context
    name: String,
    #[command(flatten)]
    file: FileArgs,
}

#[derive(clap::Args)]
pub struct File {
    #[command(flatten)]
    file: FileArgs,
}

#[derive(clap::Args)]
pub struct Show {
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    file: FileArgs,
}

impl Command {
    pub fn run(self) -> Result {
        match self {
            Self::SetContext(args) => set(*args)?,
            Self::UseContext(args) => {
                let path = args.file.path();
                let mut contexts = Contexts::read(&path)?;
                contexts.find(&args.name)?;
                contexts.current_context = Some(args.name);
                contexts.write(&path)?;
            }
            Self::DeleteContext(args) => {
                let path = args.file.path();
                let mut contexts = Contexts::read(&path)?;
                contexts.find(&args.name)?;
                contexts.contexts.retain(|one| one.name != args.name);
                contexts.current_context = contexts.current_context.filter(|current| *current != args.name);
                contexts.write(&path)?;
            }
            Self::CurrentContext(args) => match Contexts::read(&args.file.path())?.current_context {
                Some(name) => print::data(&name),
                None => {
                    return Err(
                        Failure::new("no context is in use").hint("choose one: flinkctl config use-context NAME")
                    );
                }
            },
            Self::GetContexts(args) => list(&args)?,
            Self::View(args) => {
                let contexts = Contexts::read(&args.file.path())?;
                let value = serde_json::to_value(&contexts).map_err(|error| Failure::new(error.to_string()))?;
                match args.output.format(Habit::Added) {
                    Format::Json => print::data(&pretty(&value)),
                    _ => print::data(&yaml(&value)?),
                }
            }
        }
        Ok(ExitStatus::Done)
    }
}

fn set(args: Set) -> Result<()> {
    let path = args.file.path();
    let mut contexts = Contexts::read(&path)?;
    let known = contexts.contexts.iter().position(|one| one.name == args.name);
    let index = known.unwrap_or_else(|| {
        contexts.contexts.push(Context { name: args.name.clone(), place: PlaceArgs::default() });
        contexts.contexts.len() - 1
    });
    contexts.contexts[index].place.take(&args.place)?;
    if args.use_it || contexts.contexts.len() == 1 {
        contexts.current_context = Some(args.name);
    }
    contexts.write(&path)
}

fn list(args: &Show) -> Result<()> {
    let contexts = Contexts::read(&args.file.path())?;
    let format = args.output.format(Habit::Added);
    match format {
        Format::Json | Format::Yaml => {
            let value = serde_json::to_value(&contexts.contexts).map_err(|error| Failure::new(error.to_string()))?;
            print::data(&if format == Format::Json { pretty(&value) } else { yaml(&value)? });
            return Ok(());
        }
        Format::Name => {
            contexts.contexts.iter().for_each(|one| print::data(&one.name));
            return Ok(());
        }
        Format::Table | Format::Wide | Format::Envelope => {}
    }
    if contexts.contexts.is_empty() {
        eprintln!("There are no contexts.");
        return Ok(());
    }
    let row = |one: &Context| {
        let current = contexts.current_context.as_deref() == Some(&one.name);
        let text = |value: &Option<String>| Cell::plain(value.clone().unwrap_or_default());
        let address = match (&one.place.host, one.place.port) {
            (None, None) => "kubeconfig".to_owned(),
            (host, port) => {
                let host = host.as_deref().unwrap_or("localhost");
                format!("{host}:{}", port.unwrap_or(control_api::PORT))
            }
        };
        vec![
            Cell::plain(if current { "*" } else { "" }),
            Cell::plain(one.name.clone()),
            Cell::plain(address),
            text(&one.place.kube.kube_context),
            text(&one.place.kube.namespace),
        ]
    };
    let columns = vec![
        Column::new("CURRENT", 0),
        Column::new("NAME", 0),
        Column::new("OPERATOR", 0),
        Column::new("KUBE-CONTEXT", 2),
        Column::new("NAMESPACE", 1),
    ];
    let table = Table { columns, rows: contexts.contexts.iter().map(row).collect() };
    print::data(&table.render(&args.output.look()));
    Ok(())
}
