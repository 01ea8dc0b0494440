//! A program: random, but such that most calls find something to do.

use simulation::dice::Dice;

use super::call::{Call, From, Loss, Program, Target};

const JOBS: u64 = 8;

pub struct Plan {
    dice: Dice,
    made: u64,
    losses: Vec<Loss>,
    next: Option<Call>,
    /// A job that most likely runs.
    current: u8,
}

impl Plan {
    pub fn new(seed: u64) -> Self {
        let losses = vec![Loss::Both, Loss::TaskManager, Loss::JobManager];
        Self { dice: Dice::new(seed), made: 0, losses, next: None, current: 0 }
    }

    pub fn next(&mut self) -> Call {
        if let Some(next) = self.next.take() {
            return next;
        }
        self.made += 1;
        if self.made % 14 == 0
            && let Some(loss) = self.losses.pop()
        {
            return Call::Lose(loss);
        }
        let trigger = u8::try_from(self.dice.below(1 + self.made)).unwrap_or(0);
        match self.dice.below(20) {
            0..=6 => self.run(),
            7..=9 => Call::Stop { job: self.job(), trigger, target: self.target() },
            10..=14 => Call::Savepoint { job: self.job(), trigger, target: self.target() },
            15..=18 => Call::Cancel { job: self.job() },
            _ => Call::DeleteJar,
        }
    }

    fn run(&mut self) -> Call {
        // Mostly a job that was not run before.
        let again = self.dice.below(4) == 0;
        let job = if again { self.any() } else { u8::try_from(self.made % 200).unwrap_or(0) + 10 };
        let program = match self.dice.below(13) {
            0 => Program::Fail,
            1 => Program::Batch,
            2 => Program::UnknownClass,
            3 => Program::UnknownArgument,
            4 => Program::MissingJar,
            5 => Program::LongBatch,
            _ => Program::Counter,
        };
        let from = match self.dice.below(8) {
            0 => From::Nowhere,
            1 | 2 => From::Savepoint,
            3 | 4 => From::Checkpoint(self.current),
            _ => From::Nothing,
        };
        if matches!(program, Program::Counter | Program::LongBatch) {
            self.current = job;
        }
        let parallelism = 1 + u32::from(self.dice.below(3) == 0);
        let run = Call::Run { job, program, parallelism, from };
        match from {
            // The newest checkpoint of a job that runs may be gone at any moment.
            From::Checkpoint(source) => {
                self.next = Some(run);
                Call::Cancel { job: source }
            }
            From::Nothing | From::Nowhere | From::Savepoint => run,
        }
    }

    fn job(&mut self) -> u8 {
        if self.dice.below(4) == 0 { self.any() } else { self.current }
    }

    /// One that may never have been run.
    fn any(&mut self) -> u8 {
        u8::try_from(self.dice.below(JOBS)).unwrap_or(0) + 8
    }

    fn target(&mut self) -> Target {
        match self.dice.below(8) {
            0 => Target::Unset,
            1 => Target::UnknownScheme,
            _ => Target::Directory,
        }
    }
}
