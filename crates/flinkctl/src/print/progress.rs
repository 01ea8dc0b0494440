//! What a command that waits is waiting for: one line that changes on a terminal, a line for each change elsewhere.

use std::io::{IsTerminal as _, Write as _};
use std::time::Instant;

use super::table::cut;
use super::time::age;

/// Told on stderr until it is dropped.
#[derive(Debug)]
pub struct Progress {
    terminal: bool,
    started: Instant,
    last: String,
    frame: usize,
}

const FRAMES: [&str; 4] = ["|", "/", "-", "\\"];

impl Progress {
    pub fn new() -> Self {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let terminal = std::io::stderr().is_terminal() && !dumb;
        Self { terminal, started: Instant::now(), last: String::new(), frame: 0 }
    }

    /// What it waits for now.
    pub fn tell(&mut self, what: &str) {
        let news = what != self.last;
        if news {
            what.clone_into(&mut self.last);
        }
        if self.terminal {
            self.draw();
        } else if news {
            eprintln!("{what}");
        }
    }

    /// Time goes on.
    pub fn tick(&mut self) {
        self.frame += 1;
        if self.terminal && !self.last.is_empty() {
            self.draw();
        }
    }

    fn draw(&self) {
        let size = rustix::termios::tcgetwinsize(std::io::stderr()).map_or(80, |size| usize::from(size.ws_col));
        let passed = i64::try_from(self.started.elapsed().as_secs()).unwrap_or(i64::MAX);
        let line = format!("{} {} ({})", FRAMES[self.frame % FRAMES.len()], self.last, age(passed));
        let mut out = std::io::stderr().lock();
        let _ = write!(out, "\r\u{1b}[2K{}", cut(&line.replace('\n', " "), size.max(20) - 1));
        let _ = out.flush();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.terminal && !self.last.is_empty() {
            eprint!("\r\u{1b}[2K");
        }
    }
}
