//! Tables that fit: columns that matter least go first, and then the longest is cut.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::Look;

/// What a cell tells at a glance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    #[default]
    Plain,
    Good,
    Busy,
    Bad,
    Faint,
}

impl Tone {
    /// The text in its colour.
    pub fn paint(self, text: &str, color: bool) -> String {
        let code = match self {
            Self::Plain => return text.to_owned(),
            Self::Good => "32",
            Self::Busy => "33",
            Self::Bad => "31",
            Self::Faint => "2",
        };
        if color && !text.is_empty() { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// The tone of a word of ours or of Flink's.
    pub fn of(word: &str) -> Self {
        match word {
            "RUNNING" | "FINISHED" | "Started" | "HEALTHY" | "Healthy" | "True" | "Done" | "Running" | "Finished"
            | "Ready" => Self::Good,
            "FAILED" | "FAILING" | "UNHEALTHY" | "Unhealthy" | "Refused" | "Failed" | "Warning" | "Stalled" => {
                Self::Bad
            }
            "Starting" | "Stopping" | "Updating" | "Deleting" | "Accepted" | "CREATED" | "INITIALIZING"
            | "RESTARTING" | "CANCELLING" | "RECONCILING" | "SUSPENDED" | "False" | "Progressing" => Self::Busy,
            "" | "-" | "Unknown" | "UNKNOWN" | "Terminated" | "Stopped" | "CANCELED" => Self::Faint,
            _ => Self::Plain,
        }
    }
}

/// A cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    pub text: String,
    pub tone: Tone,
}

impl Cell {
    pub fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), tone: Tone::Plain }
    }

    /// A word in the tone that it has everywhere.
    pub fn word(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { tone: Tone::of(&text), text }
    }

    pub fn toned(text: impl Into<String>, tone: Tone) -> Self {
        Self { text: text.into(), tone }
    }
}

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    pub title: &'static str,
    /// How easily it is left out where there is no room; 0 is never left out.
    pub spare: u8,
    /// Only where everything is shown.
    pub wide: bool,
}

impl Column {
    pub const fn new(title: &'static str, spare: u8) -> Self {
        Self { title, spare, wide: false }
    }

    pub const fn wide(title: &'static str) -> Self {
        Self { title, spare: u8::MAX, wide: true }
    }
}

/// Rows below columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Cell>>,
}

const GAP: usize = 3;
/// What is left of a column that is cut.
const LEAST: usize = 8;

impl Table {
    /// The table with its head.
    pub fn render(&self, look: &Look) -> String {
        let layout = self.layout(look);
        let mut text = self.head(&layout);
        text.push_str(&Self::body(&self.rows, &layout, look));
        text
    }

    /// Which columns are shown, and how wide.
    pub fn layout(&self, look: &Look) -> Vec<(usize, usize)> {
        let wanted = |index: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(index)).map(|cell| cell.text.width());
            cells.chain([self.columns[index].title.width()]).max().unwrap_or(0)
        };
        let shown = self.columns.iter().enumerate().filter(|(_, column)| look.wide || !column.wide);
        let mut layout: Vec<(usize, usize)> = shown.map(|(index, _)| (index, wanted(index))).collect();
        let Some(width) = look.width else {
            return layout;
        };
        while total(&layout) > width {
            let spare =
                layout.iter().enumerate().max_by_key(|(place, (index, _))| (self.columns[*index].spare, *place));
            match spare {
                Some((place, (index, _))) if self.columns[*index].spare > 0 => drop(layout.remove(place)),
                _ => break,
            }
        }
        let over = total(&layout).saturating_sub(width);
        if over > 0
            && let Some((_, longest)) = layout.iter_mut().max_by_key(|(_, width)| *width)
        {
            *longest = longest.saturating_sub(over).max(LEAST);
        }
        layout
    }

    fn head(&self, layout: &[(usize, usize)]) -> String {
        let cells: Vec<Cell> = self.columns.iter().map(|column| Cell::plain(column.title)).collect();
        line(&cells, layout, false)
    }

    /// Rows in a layout that was made before.
    pub fn body(rows: &[Vec<Cell>], layout: &[(usize, usize)], look: &Look) -> String {
        rows.iter().map(|row| line(row, layout, look.color)).collect()
    }
}

fn total(layout: &[(usize, usize)]) -> usize {
    layout.iter().map(|(_, width)| width + GAP).sum::<usize>().saturating_sub(GAP)
}

fn line(cells: &[Cell], layout: &[(usize, usize)], color: bool) -> String {
    let mut line = String::new();
    for (place, (index, width)) in layout.iter().enumerate() {
        let Some(cell) = cells.get(*index) else {
            continue;
        };
        let text = cut(&cell.text, *width);
        line.push_str(&cell.tone.paint(&text, color));
        if place + 1 < layout.len() {
            line.push_str(&" ".repeat((width + GAP).saturating_sub(text.width())));
        }
    }
    let mut line = line.trim_end().to_owned();
    line.push('\n');
    line
}

/// At most so many columns of a text.
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 1;
    for character in text.chars() {
        used += character.width().unwrap_or(0);
        if used > width {
            break;
        }
        kept.push(character);
    }
    kept.push('…');
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let columns =
            vec![Column::new("NAME", 0), Column::new("STATUS", 1), Column::new("PATH", 2), Column::wide("ID")];
        let row = |name: &str| {
            vec![Cell::plain(name), Cell::word("RUNNING"), Cell::plain("file:/savepoints/a"), Cell::plain("7")]
        };
        Table { columns, rows: vec![row("demo"), row("demonstration")] }
    }

    fn render(width: Option<usize>, color: bool, wide: bool) -> String {
        table().render(&Look { width, color, wide })
    }

    #[test]
    fn columns_that_matter_least_go_first() {
        assert_eq!(
            render(Some(80), false, false),
            "NAME            STATUS    PATH\ndemo            RUNNING   file:/savepoints/a\ndemonstration   RUNNING   file:/savepoints/a\n"
        );
        assert_eq!(
            render(Some(30), false, false),
            "NAME            STATUS\ndemo            RUNNING\ndemonstration   RUNNING\n"
        );
        assert_eq!(render(Some(10), false, false), "NAME\ndemo\ndemonstra…\n");
    }

    #[test]
    fn everything_is_shown_where_it_is_wanted() {
        assert!(render(None, false, true).lines().all(|line| line.ends_with("ID") || line.ends_with('7')));
    }

    #[test]
    fn colours_do_not_move_anything() {
        let plain = render(None, false, false);
        let colored = render(None, true, false);
        assert!(colored.contains("\u{1b}[32mRUNNING\u{1b}[0m   file"), "{colored}");
        assert_eq!(colored.replace("\u{1b}[32m", "").replace("\u{1b}[0m", ""), plain);
    }

    #[test]
    fn a_cut_counts_columns_and_not_letters() {
        assert_eq!(cut("数据流作业", 6), "数据…");
        assert_eq!(cut("short", 5), "short");
    }
}
