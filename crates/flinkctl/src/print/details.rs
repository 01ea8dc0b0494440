//! One thing in full: labels with texts, one below the other.

use unicode_width::UnicodeWidthStr as _;

use super::{Cell, Look};

/// Lines of a label and what belongs to it. What is empty is left out.
#[derive(Clone, Debug, Default)]
pub struct Details {
    lines: Vec<(String, Cell)>,
}

impl Details {
    pub fn add(&mut self, label: &str, cell: Cell) {
        if !cell.text.is_empty() {
            self.lines.push((format!("{label}:"), cell));
        }
    }

    /// The lines, the texts below each other; a text that is too long goes on below itself.
    pub fn render(&self, look: &Look) -> String {
        let indent = self.lines.iter().map(|(label, _)| label.width()).max().unwrap_or(0) + 2;
        let room = look.width.map(|width| width.saturating_sub(indent).max(20));
        let mut text = String::new();
        for (label, cell) in &self.lines {
            for (number, part) in wrapped(&cell.text, room).iter().enumerate() {
                let label = if number == 0 { label.as_str() } else { "" };
                text.push_str(label);
                text.push_str(&" ".repeat(indent - label.width()));
                text.push_str(&cell.tone.paint(part, look.color));
                text.push('\n');
            }
        }
        text
    }
}

/// Lines of at most so many columns, cut between words. A word that is longer stays whole, so that paths can be copied.
pub fn wrapped(text: &str, width: Option<usize>) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            let full = width.is_some_and(|width| line.width() + 1 + word.width() > width);
            if !line.is_empty() && full {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    if lines.is_empty() {
        lines.push(String::new());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_go_on_below_themselves() {
        let mut details = Details::default();
        details.add("Name", Cell::plain("demo"));
        details.add("Empty", Cell::plain(""));
        details.add("Message", Cell::plain("one two three four five six"));
        let look = Look { width: Some(29), color: false, wide: false };
        assert_eq!(details.render(&look), "Name:     demo\nMessage:  one two three four\n          five six\n");
    }
}
