//! The line of a field: found by indentation, in YAML in blocks and in JSON that is written with a member on each line.
//!
//! Best effort: where the field itself is not found, the line of what it stands in is told.

/// The line of a field path such as `spec.jobs[1].name`, counted from 1; `None` if not even its first part is found.
pub fn line(text: &str, field: &str) -> Option<usize> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = None;
    let mut within = Within { from: 0, to: lines.len(), deeper_than: None };
    for part in parts(field) {
        let next = match &part {
            Part::Member(name) => member(&lines, &within, name),
            Part::Item(index) => item(&lines, &within, *index),
        };
        let Some(at) = next else { break };
        within = inside(&lines, at);
        found = Some(at.line + 1);
    }
    found
}

enum Part {
    Member(String),
    Item(usize),
}

/// Where to look: lines of a block, deeper than its head.
struct Within {
    from: usize,
    to: usize,
    deeper_than: Option<usize>,
}

#[derive(Clone, Copy)]
struct At {
    line: usize,
    indent: usize,
}

fn parts(field: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = field;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let (key, after) = inner.split_once(']').unwrap_or((inner, ""));
            parts.push(match key.parse() {
                Ok(index) => Part::Item(index),
                Err(_) => Part::Member(key.trim_matches('"').to_owned()),
            });
            rest = after.strip_prefix('.').unwrap_or(after);
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            parts.push(Part::Member(rest[..end].to_owned()));
            rest = rest[end..].strip_prefix('.').unwrap_or(&rest[end..]);
        }
    }
    parts
}

/// Where a line's content begins, after the dash of an item.
fn content(line: &str) -> (usize, &str) {
    let mut indent = line.len() - line.trim_start().len();
    let mut rest = &line[indent..];
    while let Some(after) = rest.strip_prefix("- ") {
        let spaces = after.len() - after.trim_start().len();
        indent += 2 + spaces;
        rest = &after[spaces..];
    }
    (indent, rest)
}

fn names(content: &str, key: &str) -> bool {
    let bare = content.trim_start_matches(['"', '\'']);
    let Some(after) = bare.strip_prefix(key) else { return false };
    after.trim_start_matches(['"', '\'']).trim_start().starts_with(':')
}

fn member(lines: &[&str], within: &Within, key: &str) -> Option<At> {
    let candidates = (within.from..within.to).filter_map(|line| {
        let (indent, text) = content(lines[line]);
        (names(text, key) && within.deeper_than.is_none_or(|than| indent > than)).then_some(At { line, indent })
    });
    // The shallowest is the one of this block, not of one within it.
    candidates.min_by_key(|at| (at.indent, at.line))
}

fn item(lines: &[&str], within: &Within, index: usize) -> Option<At> {
    let is_item = |text: &str| text.starts_with("- ") || text == "-" || text == "{" || text.starts_with("{ ");
    let starts: Vec<At> = (within.from..within.to)
        .filter_map(|line| {
            let indent = lines[line].len() - lines[line].trim_start().len();
            is_item(lines[line].trim()).then_some(At { line, indent })
        })
        .collect();
    let indent = starts.iter().map(|at| at.indent).min()?;
    starts.into_iter().filter(|at| at.indent == indent).nth(index)
}

/// The block that begins at a line: all lines below that are deeper. A list may stand as deep as its name.
fn inside(lines: &[&str], at: At) -> Within {
    let first = lines[at.line];
    let own = first.len() - first.trim_start().len();
    let is_item = first.trim_start().starts_with("- ") && at.indent == own;
    let end = (at.line + 1..lines.len()).find(|line| {
        let text = lines[*line].trim();
        let indent = lines[*line].len() - lines[*line].trim_start().len();
        let list = text.starts_with("- ") && indent == at.indent && !is_item;
        !text.is_empty() && !text.starts_with('#') && indent <= at.indent && !list
    });
    let from = if is_item { at.line } else { at.line + 1 };
    Within { from, to: end.unwrap_or(lines.len()), deeper_than: (!is_item).then(|| at.indent.saturating_sub(1)) }
}

#[cfg(test)]
mod tests {
    use super::line;

    const YAML: &str = "\
apiVersion: nextbreakpoint.com/v1
metadata:
  name: demo
spec:
  cluster:
    runtime:
      image: flink
    jobManager:
      environment:
      - name: A
        value: b
      - name: C
  jobs:
    - name: one
      spec:
        bootstrap:
          image: ''
    # a comment
    - name: two
      spec:
        bootstrap: { image: '' }
";

    #[test]
    fn fields_of_yaml_have_their_lines() {
        for (field, wanted) in [
            ("metadata.name", 3),
            ("spec.cluster.runtime.image", 7),
            ("spec.cluster.jobManager.environment[1].name", 12),
            ("spec.jobs[0].name", 14),
            ("spec.jobs[0].spec.bootstrap.image", 17),
            ("spec.jobs[1].spec.bootstrap.image", 21),
            ("spec.jobs[1].name", 19),
            ("spec.cluster.runtime.pullPolicy", 6),
        ] {
            assert_eq!(line(YAML, field), Some(wanted), "{field}");
        }
        assert_eq!(line(YAML, "status"), None);
    }

    #[test]
    fn fields_of_json_have_their_lines() {
        let json = "{\n  \"spec\": {\n    \"jobs\": [\n      {\n        \"name\": \"a\"\n      },\n      {\n        \"name\": \"b\"\n      }\n    ]\n  }\n}\n";
        assert_eq!(line(json, "spec.jobs"), Some(3));
        assert_eq!(line(json, "spec.jobs[1].name"), Some(8));
    }
}
