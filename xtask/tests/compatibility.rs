//! Every numbered behaviour of flink-k8s-toolbox is accounted for: by a test that names it, or by `docs/compatibility.md`.
//!
//! A test names numbers in its doc comment: `/// SC-012, SC-015 to SC-018, F-03`. The document has a row for each finding, and names the
//! tests that show it; of the scenarios it lists those that no test names, with the reason. A number that does not exist, a test that the
//! document invents, and a test that does not name what it is said to show are faults as well.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const DOCUMENT: &str = "docs/compatibility.md";

/// The headings of the tables of scenarios.
const DIFFERENT: &str = "## Scenarios that are answered differently on purpose";
const EXCUSED: &str = "## Scenarios that cannot apply";

/// The scenarios: SC-001 to SC-583.
const SCENARIOS: (&str, u32) = ("SC", 583);
/// The findings, by the letter of their kind, with the last number of each.
const FINDINGS: [(&str, u32); 5] = [("F", 42), ("R", 9), ("D", 13), ("S", 11), ("C", 16)];

#[test]
fn every_number_is_accounted_for() {
    let faults = faults(&Tests::read(), &document());
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn the_check_finds_what_is_wrong() {
    let tests = Tests::of(&[(
        "a.rs",
        "/// SC-001 to SC-003, SC-007, F-99\n#[test]\nfn shows_it() {}\n\n/// SC-004\nfn helper() {}\n",
    )]);
    let text = "SC-001 to SC-583\n| F-01 | x | y | `shows_it`, `invented` |\n\n## Scenarios that cannot apply\n\n\
        | SC-005, SC-007, SC-600 | why |\n";
    let found = faults(&tests, text);
    let has = |fault: &str| found.iter().any(|one| one == fault);
    assert!(!found.iter().any(|fault| fault.starts_with("SC-003 ") || fault.starts_with("SC-005 ")), "{found:?}");
    assert!(has("SC-007 cannot apply, says docs/compatibility.md, and a test names it"), "{found:?}");
    assert!(has("SC-004 is named by no test and not in docs/compatibility.md"), "a helper is no test: {found:?}");
    assert!(has("shows_it (a.rs) names F-99, which does not exist"), "{found:?}");
    assert!(has("docs/compatibility.md names SC-600, which does not exist"), "{found:?}");
    assert!(has("F-01: there is no test invented"), "{found:?}");
    assert!(has("F-01: the test shows_it does not name it"), "{found:?}");
    assert!(has("F-02 has no row in docs/compatibility.md"), "{found:?}");
}

/// Everything that is wrong, one line each.
fn faults(tests: &Tests, document: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut unknown = |who: &str, numbers: &BTreeSet<Number>| {
        let strange = numbers.iter().filter(|number| !exists(number));
        faults.extend(strange.map(|number| format!("{who} names {number}, which does not exist")));
    };
    for (name, test) in &tests.named {
        unknown(&format!("{name} ({})", test.file), &test.numbers);
    }
    unknown(DOCUMENT, &numbers(document));
    let (tested, different, excused) = (tests.numbers(), table(document, DIFFERENT), table(document, EXCUSED));
    for number in (1..=SCENARIOS.1).map(|number| Number { kind: SCENARIOS.0.to_owned(), number }) {
        match (tested.contains(&number), excused.contains(&number)) {
            (false, false) => faults.push(format!("{number} is named by no test and not in {DOCUMENT}")),
            (true, true) => faults.push(format!("{number} cannot apply, says {DOCUMENT}, and a test names it")),
            (false, true) if different.contains(&number) => {
                faults.push(format!("{number} is in both tables of scenarios"))
            }
            _ => {}
        }
    }
    let rows = rows(document);
    for (kind, last) in FINDINGS {
        for number in (1..=last).map(|number| Number { kind: kind.to_owned(), number }) {
            match rows.get(&number) {
                None => faults.push(format!("{number} has no row in {DOCUMENT}")),
                Some(names) => faults.extend(names.iter().filter_map(|name| tests.fault(&number, name))),
            }
        }
    }
    faults.extend(
        words(document, 2)
            .filter(|name| !tests.functions.contains(*name))
            .map(|name| format!("{DOCUMENT}: there is no function {name}")),
    );
    faults
}

/// A number such as `SC-012` or `F-03`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Number {
    kind: String,
    number: u32,
}

impl Number {
    fn read(word: &str) -> Option<Self> {
        let (kind, digits) = word.split_once('-')?;
        let known = kind == SCENARIOS.0 || FINDINGS.iter().any(|(finding, _)| *finding == kind);
        let width = if kind == SCENARIOS.0 { 3 } else { 2 };
        let number = (digits.len() == width).then(|| digits.parse().ok())??;
        known.then(|| Self { kind: kind.to_owned(), number })
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let width = if self.kind == SCENARIOS.0 { 3 } else { 2 };
        write!(formatter, "{}-{:0width$}", self.kind, self.number)
    }
}

impl std::fmt::Debug for Number {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, formatter)
    }
}

fn exists(number: &Number) -> bool {
    let mut all = FINDINGS.into_iter().chain([SCENARIOS]);
    all.any(|(kind, last)| kind == number.kind && (1..=last).contains(&number.number))
}

/// All numbers of a text; `SC-012 to SC-015` is four.
fn numbers(text: &str) -> BTreeSet<Number> {
    let mut found = BTreeSet::new();
    let mut before: Option<Number> = None;
    let mut range = false;
    for word in text.split_whitespace() {
        let bare = word.trim_matches(|letter: char| !letter.is_ascii_alphanumeric());
        let Some(number) = Number::read(bare) else {
            range = word == "to" && before.is_some();
            before = before.filter(|_| range);
            continue;
        };
        if let Some(first) = before.take().filter(|first| range && first.kind == number.kind) {
            let kind = first.kind;
            found.extend((first.number..number.number).map(|number| Number { kind: kind.clone(), number }));
        }
        range = false;
        before = (!word.ends_with([',', ';', '.'])).then(|| number.clone());
        found.insert(number);
    }
    found
}

/// The numbers in the first column of the table below a heading.
fn table(document: &str, heading: &str) -> BTreeSet<Number> {
    let section = document.split(heading).last().filter(|_| document.contains(heading)).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    section.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next()).flat_map(numbers).collect()
}

/// The rows of the tables of findings, and the tests that each names in its last column.
fn rows(document: &str) -> BTreeMap<Number, Vec<&str>> {
    let rows = document.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix('|')?.trim_end().strip_suffix('|')?.split(" | ").collect();
        let number = Number::read(cells.first()?.trim())?;
        Some((number, words(cells.last()?, 0).collect()))
    });
    rows.collect()
}

/// The functions of a text: words in backticks, with at least so many underscores that they could be nothing else.
fn words(text: &str, underscores: usize) -> impl Iterator<Item = &str> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted.filter(move |word| {
        word.matches('_').count() >= underscores
            && word.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_')
    })
}

/// One test function.
struct Test {
    file: String,
    numbers: BTreeSet<Number>,
}

/// All tests of the workspace.
#[derive(Default)]
struct Tests {
    /// Those that name numbers.
    named: BTreeMap<String, Test>,
    /// All of them.
    functions: BTreeSet<String>,
}

impl Tests {
    fn read() -> Self {
        let root = root();
        let mut files = Vec::new();
        for directory in ["crates", "integration-tests", "xtask"] {
            sources(&root.join(directory), &mut files);
        }
        files.sort();
        let read = |path: &PathBuf| {
            let name = path.strip_prefix(&root).expect("it lies below the root").display().to_string();
            (name, std::fs::read_to_string(path).expect("a source file can be read"))
        };
        let texts: Vec<(String, String)> = files.iter().map(read).collect();
        let texts: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        Self::of(&texts)
    }

    fn of(files: &[(&str, &str)]) -> Self {
        // The suites on real Flink register plain functions: `scenario!(module::name, …)`.
        let scenarios: BTreeSet<&str> = files
            .iter()
            .flat_map(|(_, text)| text.split("scenario!(").skip(1))
            .filter_map(|rest| rest.split(',').next()?.split("::").nth(1))
            .collect();
        let mut tests = Self::default();
        for (file, text) in files {
            tests.add(file, text, &scenarios);
        }
        tests
    }

    fn add(&mut self, file: &str, text: &str, scenarios: &BTreeSet<&str>) {
        let (mut comment, mut is_test) = (String::new(), false);
        for line in text.lines().map(str::trim) {
            if let Some(words) = line.strip_prefix("///") {
                comment.push_str(words);
                comment.push('\n');
            } else if line.starts_with("#[") {
                is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
            } else {
                if let Some(name) = function(line).filter(|name| is_test || scenarios.contains(name)) {
                    self.functions.insert(name.to_owned());
                    let numbers = numbers(&comment);
                    if !numbers.is_empty() {
                        let test = self.named.entry(name.to_owned());
                        let test = test.or_insert_with(|| Test { file: file.to_owned(), numbers: BTreeSet::new() });
                        test.numbers.extend(numbers);
                    }
                }
                comment.clear();
                is_test = false;
            }
        }
    }

    fn numbers(&self) -> BTreeSet<&Number> {
        self.named.values().flat_map(|test| &test.numbers).collect()
    }

    /// What is wrong with a test that is said to show a finding.
    fn fault(&self, number: &Number, name: &str) -> Option<String> {
        if !self.functions.contains(name) {
            return Some(format!("{number}: there is no test {name}"));
        }
        let names_it = self.named.get(name).is_some_and(|test| test.numbers.contains(number));
        (!names_it).then(|| format!("{number}: the test {name} does not name it"))
    }
}

/// The name of the function that a line begins.
fn function(line: &str) -> Option<&str> {
    let line = line.strip_prefix("pub ").unwrap_or(line);
    let line = line.strip_prefix("async ").unwrap_or(line);
    let rest = line.strip_prefix("fn ")?;
    rest.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_')).next()
}

fn sources(directory: &Path, files: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(directory).expect("a directory of the workspace can be read");
    for entry in entries.map(|entry| entry.expect("it can be read").path()) {
        if entry.is_dir() && !entry.ends_with("target") {
            sources(&entry, files);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            files.push(entry);
        }
    }
}

fn document() -> String {
    let path = root().join(DOCUMENT);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies below the root").to_owned()
}
