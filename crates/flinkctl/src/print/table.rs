//! Tables that fit: columns that matter least go first, and then the longest is cut.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::Look;
use super::details::wrapped;

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
    /// Words that go on below themselves rather than being cut; for the last column.
    pub words: bool,
}

impl Column {
    pub const fn new(title: &'static str, spare: u8) -> Self {
        Self { title, spare, wide: false, words: false }
    }

    pub const fn words(title: &'static str) -> Self {
        Self { title, spare: 0, wide: false, words: true }
    }

    pub const fn wide(title: &'static str) -> Self {
        Self { title, spare: u8::MAX, wide: true, words: false }
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
/// What words need at least.
const LEAST_WORDS: usize = 30;

impl Table {
    /// The table with its head.
    pub fn render(&self, look: &Look) -> String {
        let layout = self.layout(look);
        let mut text = self.head(&layout);
        text.push_str(&self.lines(&layout, look));
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
        // Words need some room, and then take what there is.
        let is_words = |layout: &[(usize, usize)]| layout.last().is_some_and(|(index, _)| self.columns[*index].words);
        let needed = |layout: &[(usize, usize)]| {
            let last = layout.last().map_or(0, |(_, width)| *width);
            let saved = if is_words(layout) { last.saturating_sub(LEAST_WORDS) } else { 0 };
            total(layout) - saved
        };
        while needed(&layout) > width {
            let spare =
                layout.iter().enumerate().max_by_key(|(place, (index, _))| (self.columns[*index].spare, *place));
            match spare {
                Some((place, (index, _))) if self.columns[*index].spare > 0 => drop(layout.remove(place)),
                _ => break,
            }
        }
        let over = total(&layout).saturating_sub(width);
        if over > 0 {
            let place = if is_words(&layout) {
                layout.len() - 1
            } else {
                let longest = layout.iter().enumerate().max_by_key(|(_, (_, width))| *width);
                longest.map_or(0, |(place, _)| place)
            };
            if let Some((_, longest)) = layout.get_mut(place) {
                *longest = longest.saturating_sub(over).max(LEAST);
            }
        }
        layout
    }

    fn head(&self, layout: &[(usize, usize)]) -> String {
        let cells: Vec<Cell> = self.columns.iter().map(|column| Cell::plain(column.title)).collect();
        line(&cells, layout, false)
    }

    fn lines(&self, layout: &[(usize, usize)], look: &Look) -> String {
        let words = layout.last().filter(|(index, _)| self.columns[*index].words && look.width.is_some());
        let Some((last, width)) = words else {
            return Self::body(&self.rows, layout, look);
        };
        let mut text = String::new();
        for row in &self.rows {
            let tone = row[*last].tone;
            for (number, part) in wrapped(&row[*last].text, Some(*width)).into_iter().enumerate() {
                // What is in the other columns stands beside the first line.
                let mut cells = if number == 0 { row.clone() } else { vec![Cell::default(); row.len()] };
                let room = part.width().max(*width);
                cells[*last] = Cell::toned(part, tone);
                let mut layout = layout.to_vec();
                layout.last_mut().expect("there is a last column").1 = room;
                text.push_str(&line(&cells, &layout, look.color));
            }
        }
        text
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
        let text = cut(&cell.text.replace('\n', " "), *width);
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
    fn words_go_on_below_themselves_and_paths_stay_whole() {
        let columns = vec![Column::new("REASON", 0), Column::new("AGE", 1), Column::words("MESSAGE")];
        let cells =
            ["Running", "5m", "it runs from file:/a/path/that/is/longer/than/the/column/is/wide"].map(Cell::plain);
        let table = Table { columns, rows: vec![cells.to_vec()] };
        let text = table.render(&Look { width: Some(46), color: false, wide: false });
        assert_eq!(
            text,
            "REASON    AGE   MESSAGE\nRunning   5m    it runs from\n                file:/a/path/that/is/longer/than/the/column/is/wide\n"
        );
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
