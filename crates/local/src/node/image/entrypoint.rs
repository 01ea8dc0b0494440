//! The entry point of the `flink` image: `jobmanager`, `taskmanager`, `standalone-job`, or any other command.
//!
//! It keeps the contract of the official image (arguments and environment) without its scripts: it writes the pod's configuration and becomes
//! the JVM. It runs inside the container.
//!
//! Invariant: every server of Flink binds to the pod's address, never to all addresses.

use super::memory::{self, Decision, Role, Sizes};
use super::properties::{self, Options};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// The arguments that make the executable an entry point.
pub const ARGUMENTS: [&str; 2] = ["local", "entrypoint"];

const USAGE: &str = "usage: (jobmanager|standalone-job|taskmanager|history-server|help|COMMAND) [ARGUMENT]...";

/// Packages that Flink and its serializers look into.
const OPENS: [&str; 12] = [
    "java.lang",
    "java.lang.reflect",
    "java.io",
    "java.net",
    "java.nio",
    "java.text",
    "java.time",
    "java.util",
    "java.util.concurrent",
    "java.util.concurrent.atomic",
    "java.util.concurrent.locks",
    "sun.nio.ch",
];

const LOG: &str = "\
monitorInterval = 30
rootLogger.level = INFO
rootLogger.appenderRef.console.ref = console
appender.console.name = console
appender.console.type = CONSOLE
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{yyyy-MM-dd HH:mm:ss,SSS} %-5p %-60c %x - %m%n
logger.netty.name = org.jboss.netty.channel.DefaultChannelPipeline
logger.netty.level = OFF
";

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("{what}: {source}")]
    File { what: String, source: io::Error },
    #[error("no flink-dist jar is in {0}")]
    NoDist(PathBuf),
    #[error("plugin {0} is not in {1}")]
    NoPlugin(String, PathBuf),
    #[error("Flink's memory calculator, {jar}, refused the sizes:\n{output}")]
    Calculator { jar: PathBuf, output: String },
    #[error("start {program}: {source}")]
    Exec { program: String, source: io::Error },
}

fn file(what: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
    let what = what.into();
    move |source| Error::File { what, source }
}

type Variables = BTreeMap<String, String>;

/// Runs the entry point; comes back only if nothing could be started.
pub fn main(arguments: &[String]) -> ExitCode {
    let variables: Variables = std::env::vars().collect();
    let started = match arguments.first().map(String::as_str) {
        None | Some("help") => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Some(role @ ("jobmanager" | "taskmanager" | "standalone-job" | "history-server")) => {
            flink(role, &arguments[1..], &variables)
        }
        Some(program) => {
            let source = Command::new(program).args(&arguments[1..]).exec();
            Err(Error::Exec { program: program.to_owned(), source })
        }
    };
    let Err(error) = started;
    eprintln!("error: {error}");
    ExitCode::FAILURE
}

fn flink(role: &str, arguments: &[String], variables: &Variables) -> Result<std::convert::Infallible, Error> {
    let home = Home::new(variables)?;
    home.enable_plugins(variables.get("ENABLE_BUILT_IN_PLUGINS").map(String::as_str).unwrap_or_default())?;
    let (given, others) = properties::arguments(arguments);
    let mut options = options(home.read_configuration(), given, variables);
    let memory = if role == "taskmanager" { Role::TaskManager } else { Role::JobManager };
    let java = java(variables);
    let sizes = match memory::decide(memory, &options) {
        Decision::Known(sizes) => sizes,
        Decision::Calculator { total } => {
            options.extend(total.map(|(key, value)| (key.to_owned(), value.to_owned())));
            home.calculate(&java, memory, &options)?
        }
    };
    let flags = flags(role, &options, variables, &sizes.flags);
    options.extend(sizes.options);
    let conf = home.write_configuration(&options)?;
    let class = match role {
        "taskmanager" => "org.apache.flink.runtime.taskexecutor.TaskManagerRunner",
        "standalone-job" => "org.apache.flink.container.entrypoint.StandaloneApplicationClusterEntryPoint",
        "history-server" => "org.apache.flink.runtime.webmonitor.history.HistoryServer",
        _ => "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint",
    };
    let log = conf.join("log4j-console.properties");
    let mut command = Command::new(&java);
    command
        .args(flags)
        .arg(format!("-Dlog4j.configurationFile=file:{}", log.display()))
        .arg("-cp")
        .arg(home.class_path()?);
    command.arg(class).arg("--configDir").arg(&conf);
    if role == "standalone-job" {
        command.args(others);
    }
    for (name, directory) in [("LIB", "lib"), ("PLUGINS", "plugins"), ("OPT", "opt"), ("BIN", "bin"), ("LOG", "log")] {
        command.env(format!("FLINK_{name}_DIR"), home.path.join(directory));
    }
    let source = command.env("FLINK_CONF_DIR", &conf).exec();
    Err(Error::Exec { program: java.display().to_string(), source })
}

fn java(variables: &Variables) -> PathBuf {
    variables.get("JAVA_HOME").map_or_else(|| "java".into(), |home| Path::new(home).join("bin/java"))
}

/// Flink's options, weakest first: file, image, environment, arguments; addresses last.
fn options(file: Options, given: Options, variables: &Variables) -> Options {
    let variable = |name: &str| variables.get(name).filter(|value| !value.is_empty()).cloned();
    let mut options = file;
    memory::drop_shipped(&mut options);
    // A distribution is configured for one machine.
    options.retain(|key, value| value != "localhost" || !key.ends_with("host") && key != "rest.address");
    let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    let address = variable("JOB_MANAGER_RPC_ADDRESS").or_else(|| variable("POD_NAME")).or(host);
    options.insert("jobmanager.rpc.address".to_owned(), address.unwrap_or_else(|| "localhost".to_owned()));
    options.insert("blob.server.port".to_owned(), "6124".to_owned());
    options.insert("query.server.port".to_owned(), "6125".to_owned());
    if let Some(slots) = variable("TASK_MANAGER_NUMBER_OF_TASK_SLOTS") {
        options.insert("taskmanager.numberOfTaskSlots".to_owned(), slots);
    }
    options
        .extend(properties::parse(variables.get("FLINK_PROPERTIES").map(String::as_str).unwrap_or_default(), variable));
    options.extend(given);
    if let Some(address) = variable("FLINKCTL_POD_IP").or_else(|| variable("POD_IP")) {
        for key in ["jobmanager.bind-host", "rest.bind-address", "taskmanager.bind-host", "taskmanager.host"] {
            let value = options.entry(key.to_owned()).or_insert_with(|| address.clone());
            if ["0.0.0.0", "localhost", "127.0.0.1"].contains(&value.as_str()) {
                value.clone_from(&address);
            }
        }
    }
    options
}

/// The flags of the JVM. Quick to start and small: the compiler stops early, the collector has no threads.
fn flags(role: &str, options: &Options, variables: &Variables, sizes: &[String]) -> Vec<String> {
    let role = if role == "standalone-job" { "jobmanager" } else { role };
    let keys = ["env.java.default-opts.all", "env.java.opts", "env.java.opts.all"].map(str::to_owned);
    let keys = keys.into_iter().chain([format!("env.java.default-opts.{role}"), format!("env.java.opts.{role}")]);
    let given = keys.filter_map(|key| options.get(&key)).chain(variables.get("JVM_ARGS"));
    let given: Vec<String> =
        given.flat_map(|text| text.trim_matches('"').split_whitespace()).map(str::to_owned).collect();
    let mut flags = sizes.to_vec();
    if !given.iter().any(|flag| flag.starts_with("-XX:+Use") && flag.ends_with("GC")) {
        flags.push("-XX:+UseSerialGC".to_owned());
    }
    flags.extend(["-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Xshare:auto"].map(str::to_owned));
    // Names of Services come and go with pods, so an answer must not be kept for long.
    flags.extend(["-Dsun.net.inetaddr.ttl=5", "-Dsun.net.inetaddr.negative.ttl=0"].map(str::to_owned));
    if let Some(hosts) = variables.get("FLINKCTL_HOSTS") {
        flags.push(format!("-Djdk.net.hosts.file={hosts}"));
    }
    flags.extend(OPENS.map(|package| format!("--add-opens=java.base/{package}=ALL-UNNAMED")));
    flags.push("--add-exports=java.base/sun.net.util=ALL-UNNAMED".to_owned());
    flags.extend(given);
    flags
}

/// A directory with Flink, full distribution or jars alone.
struct Home {
    path: PathBuf,
    conf: PathBuf,
    dist: PathBuf,
}

impl Home {
    fn new(variables: &Variables) -> Result<Self, Error> {
        let path = PathBuf::from(variables.get("FLINK_HOME").map_or("/opt/flink", String::as_str));
        let conf = variables.get("FLINK_CONF_DIR").map_or_else(|| path.join("conf"), PathBuf::from);
        let is_dist = |name: &str| {
            name.starts_with("flink-dist") && Path::new(name).extension().is_some_and(|kind| kind == "jar")
        };
        let dist = jars(&path.join("lib"))?
            .into_iter()
            .find(|jar| jar.file_name().and_then(|name| name.to_str()).is_some_and(is_dist));
        let dist = dist.ok_or_else(|| Error::NoDist(path.join("lib")))?;
        Ok(Home { path, conf, dist })
    }

    fn class_path(&self) -> Result<String, Error> {
        let mut jars = jars(&self.path.join("lib"))?;
        jars.retain(|jar| *jar != self.dist);
        jars.push(self.dist.clone());
        Ok(jars.iter().map(|jar| jar.display().to_string()).collect::<Vec<_>>().join(":"))
    }

    /// Flink reads `flink-conf.yaml` before 1.19, and in 1.x wherever that file lies.
    fn file_name(&self) -> &'static str {
        let name = self.dist.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let version = name.rsplit_once('-').map(|(_, version)| version).unwrap_or_default();
        let mut numbers = version.split('.').map_while(|number| number.parse::<u32>().ok());
        let version = (numbers.next().unwrap_or(2), numbers.next().unwrap_or(0));
        let legacy = self.conf.join("flink-conf.yaml").exists();
        if version < (1, 19) || version.0 < 2 && legacy { "flink-conf.yaml" } else { "config.yaml" }
    }

    fn read_configuration(&self) -> Options {
        properties::read(&fs::read_to_string(self.conf.join(self.file_name())).unwrap_or_default())
    }

    /// Writes the configuration; where its directory is read-only (a config map, say), to another one.
    fn write_configuration(&self, options: &Options) -> Result<PathBuf, Error> {
        let name = self.file_name();
        let text =
            if name == "config.yaml" { properties::write_yaml(options) } else { properties::write_legacy(options) };
        let mut conf = self.conf.clone();
        if fs::write(conf.join(name), &text).is_err() {
            conf = std::env::temp_dir().join("flink-conf");
            fs::create_dir_all(&conf).map_err(file(format!("make {}", conf.display())))?;
            for entry in fs::read_dir(&self.conf).into_iter().flatten().flatten().filter(|entry| entry.path().is_file())
            {
                fs::copy(entry.path(), conf.join(entry.file_name()))
                    .map_err(file(format!("copy {}", entry.path().display())))?;
            }
            let path = conf.join(name);
            fs::write(&path, &text).map_err(file(format!("write {}", path.display())))?;
        }
        let log = conf.join("log4j-console.properties");
        if !log.exists() {
            fs::write(&log, LOG).map_err(file(format!("write {}", log.display())))?;
        }
        Ok(conf)
    }

    /// Links jars of opt/ into directories of plugins/.
    fn enable_plugins(&self, names: &str) -> Result<(), Error> {
        for name in names.split(';').map(str::trim).filter(|name| !name.is_empty()) {
            let jar = self.path.join("opt").join(name);
            if !jar.exists() {
                return Err(Error::NoPlugin(name.to_owned(), self.path.join("opt")));
            }
            let plugin = self.path.join("plugins").join(name.trim_end_matches(".jar"));
            let link = plugin.join(name);
            if !link.exists() {
                let linked = fs::create_dir_all(&plugin).and_then(|()| symlink(&jar, &link));
                linked.map_err(file(format!("enable plugin {name}")))?;
            }
        }
        Ok(())
    }

    fn calculate(&self, java: &Path, role: Role, options: &Options) -> Result<Sizes, Error> {
        let jar = self.path.join("bin/bash-java-utils.jar");
        let conf = self.write_configuration(options)?;
        let what = match role {
            Role::JobManager => "GET_JM_RESOURCE_PARAMS",
            Role::TaskManager => "GET_TM_RESOURCE_PARAMS",
        };
        let mut command = Command::new(java);
        command.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"]);
        command.arg(format!("{}:{}", jar.display(), self.class_path()?));
        command.args(["org.apache.flink.runtime.util.bash.BashJavaUtils", what, "--configDir"]).arg(&conf);
        let output = command.output().map_err(file(format!("run {}", java.display())))?;
        let text = String::from_utf8_lossy(&output.stdout);
        match memory::parse_calculator(&text).filter(|_| output.status.success()) {
            Some(sizes) => Ok(sizes),
            None => {
                Err(Error::Calculator { jar, output: format!("{text}{}", String::from_utf8_lossy(&output.stderr)) })
            }
        }
    }
}

fn jars(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = fs::read_dir(directory).map_err(file(format!("read {}", directory.display())))?;
    let mut jars: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "jar"))
        .collect();
    jars.sort();
    Ok(jars)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn home(dist: &str) -> (tempfile::TempDir, Home) {
        let directory = tempfile::tempdir().unwrap();
        for name in ["lib", "conf", "opt", "plugins"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        for jar in ["a.jar", dist, "z.jar"] {
            fs::write(directory.path().join("lib").join(jar), "").unwrap();
        }
        let home = Home::new(&variables(&[("FLINK_HOME", directory.path().to_str().unwrap())])).unwrap();
        (directory, home)
    }

    #[test]
    fn the_environment_is_the_official_images() {
        let file = properties::read(
            "jobmanager.bind-host: localhost\njobmanager.memory.process.size: 1600m\nparallelism.default: 1\n",
        );
        let variables = variables(&[
            ("JOB_MANAGER_RPC_ADDRESS", "jobmanager-a"),
            ("TASK_MANAGER_NUMBER_OF_TASK_SLOTS", "3"),
            ("FLINKCTL_POD_IP", "127.1.1.4"),
            ("FLINK_PROPERTIES", "parallelism.default: 2\nrest.bind-address: 0.0.0.0\nstate.dir: file:///x/${POD}\n"),
        ]);
        let (given, _) = properties::arguments(&["-Dparallelism.default=4".to_owned()]);
        let options = options(file, given, &variables);
        for (key, value) in [
            ("jobmanager.rpc.address", "jobmanager-a"),
            ("blob.server.port", "6124"),
            ("taskmanager.numberOfTaskSlots", "3"),
            ("parallelism.default", "4"),
            ("rest.bind-address", "127.1.1.4"),
            ("jobmanager.bind-host", "127.1.1.4"),
            ("taskmanager.host", "127.1.1.4"),
            ("state.dir", "file:///x/"),
        ] {
            assert_eq!(options[key], value, "{key}");
        }
        assert!(!options.contains_key("jobmanager.memory.process.size"));
    }

    #[test]
    fn the_version_decides_the_file() {
        assert_eq!(home("flink-dist-2.1.3.jar").1.file_name(), "config.yaml");
        assert_eq!(home("flink-dist-1.18.1.jar").1.file_name(), "flink-conf.yaml");
        let (directory, home) = home("flink-dist-1.20.0.jar");
        assert_eq!(home.file_name(), "config.yaml");
        fs::write(directory.path().join("conf/flink-conf.yaml"), "").unwrap();
        assert_eq!(home.file_name(), "flink-conf.yaml");
        assert!(home.class_path().unwrap().ends_with("lib/flink-dist-1.20.0.jar"));
    }

    #[test]
    fn plugins_are_linked() {
        let (directory, home) = home("flink-dist-2.1.3.jar");
        fs::write(directory.path().join("opt/s3.jar"), "jar").unwrap();
        home.enable_plugins("s3.jar; ").unwrap();
        assert_eq!(fs::read_to_string(directory.path().join("plugins/s3/s3.jar")).unwrap(), "jar");
        assert!(home.enable_plugins("none.jar").is_err());
    }

    #[test]
    fn the_users_collector_is_respected() {
        let given: Options = [("env.java.opts.taskmanager".to_owned(), "-XX:+UseG1GC -Da=b".to_owned())].into();
        let taskmanager = flags("taskmanager", &given, &Variables::new(), &[]);
        assert!(taskmanager.contains(&"-Da=b".to_owned()) && !taskmanager.contains(&"-XX:+UseSerialGC".to_owned()));
        assert!(flags("jobmanager", &given, &Variables::new(), &[]).contains(&"-XX:+UseSerialGC".to_owned()));
    }
}
