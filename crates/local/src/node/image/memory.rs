//! How much memory Flink's processes get.
//!
//! Flink insists on a consistent set of sizes. If the user gives none, small ones are chosen, so that several clusters fit on one machine; if the
//! user gives a total, the parts follow as Flink computes them; everything else is left to Flink's own calculator, which costs a second.
//!
//! Invariant: a size that the user gave is never changed.

use super::properties::Options;

/// Which process the sizes are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    JobManager,
    TaskManager,
}

/// The result: flags of the JVM, and options for Flink.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sizes {
    pub flags: Vec<String>,
    pub options: Vec<(String, String)>,
}

/// Who decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Known(Sizes),
    /// Flink's calculator, which needs a total; one is added to the options where the user gave none.
    Calculator {
        total: Option<(&'static str, &'static str)>,
    },
}

const MIB: u64 = 1 << 20;

impl Role {
    fn prefix(self) -> &'static str {
        match self {
            Role::JobManager => "jobmanager.memory.",
            Role::TaskManager => "taskmanager.memory.",
        }
    }

    fn process_size(self) -> (&'static str, &'static str) {
        match self {
            Role::JobManager => ("jobmanager.memory.process.size", "1600m"),
            Role::TaskManager => ("taskmanager.memory.process.size", "1728m"),
        }
    }
}

/// Removes the totals that a distribution ships, which no user chose.
pub(super) fn drop_shipped(options: &mut Options) {
    for (key, shipped) in [Role::JobManager, Role::TaskManager].map(Role::process_size) {
        if options.get(key).is_some_and(|value| value == shipped) {
            options.remove(key);
        }
    }
}

pub(super) fn decide(role: Role, options: &Options) -> Decision {
    let (process, default) = role.process_size();
    // Options that have a part in the sum of sizes, among many that only tune.
    let others = ["taskmanager.memory.segment-size", "taskmanager.memory.min-segment-size"];
    let given: Vec<&str> = options
        .keys()
        .map(String::as_str)
        .filter(|key| key.starts_with(role.prefix()) && !others.contains(key))
        .collect();
    if given.is_empty() {
        return Decision::Known(match role {
            Role::JobManager => Sizes { flags: flags(256 * MIB, None, 256 * MIB), options: Vec::new() },
            Role::TaskManager => small_task_manager(options),
        });
    }
    if given == [process]
        && let Some(total) = options.get(process).and_then(|size| bytes(size))
        && let Some(sizes) = from_total(role, total, options)
    {
        return Decision::Known(sizes);
    }
    let parts = format!("{}flink.size", role.prefix());
    let total = options.contains_key(process) || options.contains_key(&parts);
    Decision::Calculator { total: (!total).then_some((process, default)) }
}

/// A size as Flink writes it.
fn bytes(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let factor = match text[digits..].trim() {
        "" | "b" | "bytes" => 1,
        "k" | "kb" | "kibibytes" => 1 << 10,
        "m" | "mb" | "mebibytes" => MIB,
        "g" | "gb" | "gibibytes" => 1 << 30,
        "t" | "tb" | "tebibytes" => 1 << 40,
        _ => return None,
    };
    text[..digits].parse::<u64>().ok()?.checked_mul(factor)
}

fn flags(heap: u64, direct: Option<u64>, metaspace: u64) -> Vec<String> {
    let mut flags = vec![format!("-Xmx{heap}"), format!("-XX:MaxMetaspaceSize={metaspace}")];
    flags.extend(direct.map(|direct| format!("-XX:MaxDirectMemorySize={direct}")));
    flags
}

/// The parts of a TaskManager, in bytes.
struct Parts {
    framework_heap: u64,
    task_heap: u64,
    framework_off_heap: u64,
    network: u64,
    managed: u64,
    metaspace: u64,
    overhead: u64,
}

impl Parts {
    fn sizes(&self, options: &Options) -> Sizes {
        let slots = options.get("taskmanager.numberOfTaskSlots").cloned().unwrap_or_else(|| "1".to_owned());
        let option = |key: &str, size: u64| (format!("taskmanager.memory.{key}"), format!("{size}b"));
        let mut all = vec![
            option("framework.heap.size", self.framework_heap),
            option("task.heap.size", self.task_heap),
            option("framework.off-heap.size", self.framework_off_heap),
            option("task.off-heap.size", 0),
            option("network.min", self.network),
            option("network.max", self.network),
            option("managed.size", self.managed),
            option("jvm-metaspace.size", self.metaspace),
            option("jvm-overhead.min", self.overhead),
            option("jvm-overhead.max", self.overhead),
        ];
        if !options.contains_key("taskmanager.cpu.cores") {
            all.push(("taskmanager.cpu.cores".to_owned(), format!("{slots}.0")));
        }
        let heap = self.framework_heap + self.task_heap;
        Sizes { flags: flags(heap, Some(self.framework_off_heap + self.network), self.metaspace), options: all }
    }
}

fn small_task_manager(options: &Options) -> Sizes {
    let slots =
        options.get("taskmanager.numberOfTaskSlots").and_then(|slots| slots.parse().ok()).unwrap_or(1u64).clamp(1, 64);
    // Network memory is touched at the start, all else is a limit only.
    let parts = Parts {
        framework_heap: 64 * MIB,
        task_heap: (128 + 64 * slots) * MIB,
        framework_off_heap: 64 * MIB,
        network: (24 + 8 * slots) * MIB,
        managed: 32 * slots * MIB,
        metaspace: 256 * MIB,
        overhead: 64 * MIB,
    };
    parts.sizes(options)
}

/// 0.1 and 0.4 as Flink has them, in single precision: a numerator, and a power of two.
const TENTH: (u128, u32) = (13_421_773, 27);
const TWO_FIFTHS: (u128, u32) = (13_421_773, 25);

fn part(size: u64, (numerator, power): (u128, u32)) -> u64 {
    u64::try_from((u128::from(size) * numerator) >> power).expect("a part is smaller than the whole")
}

fn from_total(role: Role, total: u64, options: &Options) -> Option<Sizes> {
    let metaspace = 256 * MIB;
    let overhead = part(total, TENTH).clamp(192 * MIB, 1024 * MIB);
    let flink = total.checked_sub(metaspace)?.checked_sub(overhead)?;
    match role {
        Role::JobManager => {
            let off_heap = 128 * MIB;
            let heap = flink.checked_sub(off_heap).filter(|heap| *heap > 0)?;
            Some(Sizes { flags: flags(heap, None, metaspace), options: Vec::new() })
        }
        Role::TaskManager => {
            let (framework_heap, framework_off_heap) = (128 * MIB, 128 * MIB);
            let (network, managed) = (part(flink, TENTH).max(64 * MIB), part(flink, TWO_FIFTHS));
            let fixed = framework_heap + framework_off_heap + network + managed;
            let task_heap = flink.checked_sub(fixed)?;
            Some(
                Parts { framework_heap, task_heap, framework_off_heap, network, managed, metaspace, overhead }
                    .sizes(options),
            )
        }
    }
}

/// Reads what Flink's calculator printed.
pub(super) fn parse_calculator(output: &str) -> Option<Sizes> {
    let mut lines = output.lines().filter_map(|line| line.strip_prefix("BASH_JAVA_UTILS_EXEC_RESULT:"));
    let flags = lines.next()?.split_whitespace().map(str::to_owned).collect();
    let arguments: Vec<String> = lines.next().unwrap_or_default().split_whitespace().map(str::to_owned).collect();
    let (options, _) = super::properties::arguments(&arguments);
    Some(Sizes { flags, options: options.into_iter().collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(pairs: &[(&str, &str)]) -> Options {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn known(decision: Decision) -> Sizes {
        match decision {
            Decision::Known(sizes) => sizes,
            Decision::Calculator { .. } => panic!("the calculator is not needed"),
        }
    }

    #[test]
    fn without_a_word_of_the_user_processes_are_small() {
        let sizes = known(decide(Role::TaskManager, &options(&[("taskmanager.numberOfTaskSlots", "2")])));
        assert!(sizes.flags.contains(&format!("-Xmx{}", 320 * MIB)));
        assert!(sizes.options.contains(&("taskmanager.cpu.cores".to_owned(), "2.0".to_owned())));
        assert!(sizes.options.contains(&("taskmanager.memory.managed.size".to_owned(), format!("{}b", 64 * MIB))));
        assert!(known(decide(Role::JobManager, &Options::new())).options.is_empty());
    }

    /// The figures that Flink 2.1 prints for its default of 1728m.
    #[test]
    fn a_total_is_divided_as_flink_does() {
        let sizes = known(decide(Role::TaskManager, &options(&[("taskmanager.memory.process.size", "1728m")])));
        assert_eq!(
            sizes.flags,
            ["-Xmx536870902", "-XX:MaxMetaspaceSize=268435456", "-XX:MaxDirectMemorySize=268435458"]
        );
        let managed = sizes.options.iter().find(|(key, _)| key.ends_with("managed.size")).unwrap();
        assert_eq!(managed.1, "536870920b");
        let sizes = known(decide(Role::JobManager, &options(&[("jobmanager.memory.process.size", "1600m")])));
        assert_eq!(sizes.flags[0], "-Xmx1073741824");
    }

    #[test]
    fn anything_else_is_left_to_flink() {
        let parts = options(&[("taskmanager.memory.managed.fraction", "0.1")]);
        assert_eq!(
            decide(Role::TaskManager, &parts),
            Decision::Calculator { total: Some(("taskmanager.memory.process.size", "1728m")) }
        );
        let tiny = options(&[("jobmanager.memory.process.size", "300m")]);
        assert_eq!(decide(Role::JobManager, &tiny), Decision::Calculator { total: None });
        let printed = "log\nBASH_JAVA_UTILS_EXEC_RESULT:-Xmx1 -Xms1\nBASH_JAVA_UTILS_EXEC_RESULT:-D a=b -D c=d\n";
        let sizes = parse_calculator(printed).unwrap();
        assert_eq!((sizes.flags.len(), sizes.options.len()), (2, 2));
    }

    #[test]
    fn shipped_totals_do_not_count() {
        let mut options =
            options(&[("jobmanager.memory.process.size", "1600m"), ("taskmanager.memory.process.size", "2g")]);
        drop_shipped(&mut options);
        assert_eq!(options.keys().collect::<Vec<_>>(), ["taskmanager.memory.process.size"]);
    }
}
