//! Long random walks with many faults, each of which ends in calm: then everything must come to rest.
//!
//! What cannot be explored in full is walked through. A walk that fails is made as short as it can be.

use super::actions::Act;
use super::world::{Budget, World};
use super::{System, calm};
use stateright::{Expectation, Model};

/// Deterministic chance.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap_or(0)
    }
}

/// What is wrong with a world on its way, or with what comes of it in calm.
fn complaint(system: &System, world: &World) -> Option<String> {
    let broken = |property: &stateright::Property<System>| {
        property.expectation == Expectation::Always && !(property.condition)(system, world)
    };
    system.properties().iter().find(|property| broken(property)).map(|property| property.name.to_owned())
}

fn at_rest(system: &System, world: &World) -> Option<String> {
    match calm::settle(world.clone(), &system.laws) {
        Ok(rest) => complaint(system, &rest).or_else(|| rest.complaint(&system.laws)),
        Err(_) => Some("it never comes to rest".into()),
    }
}

/// Follows a list as far as it is possible; what went wrong, and after how many.
fn follow(system: &System, start: &World, acts: &[Act]) -> Option<String> {
    let mut world = start.clone();
    for act in acts {
        let mut possible = vec![];
        system.actions(&world, &mut possible);
        if possible.contains(act) {
            world.act(act.clone(), &system.laws);
        }
        if let Some(complaint) = complaint(system, &world) {
            return Some(complaint);
        }
    }
    at_rest(system, &world)
}

/// Leaves out what the failure does not need.
fn shorten(system: &System, start: &World, mut acts: Vec<Act>, complaint: &str) -> Vec<Act> {
    let mut index = 0;
    while index < acts.len() {
        let mut fewer = acts.clone();
        fewer.remove(index);
        if follow(system, start, &fewer).as_deref() == Some(complaint) {
            acts = fewer;
            index = index.saturating_sub(3);
        } else {
            index += 1;
        }
    }
    acts
}

/// A walk that went wrong.
#[derive(Debug)]
pub struct Failure {
    pub complaint: String,
    pub acts: Vec<Act>,
}

/// Takes a number of walks, until one goes wrong.
pub fn walk(system: &System, seed: u64, walks: u64, length: usize) -> Option<Failure> {
    let start = system.init_states().remove(0);
    (0..walks).find_map(|number| {
        let mut chance = Chance(seed.wrapping_add(number.wrapping_mul(0xd1b5_4a32_d192_ed03)));
        let budget = thin(system.budget, &mut chance);
        let system = &System { budget, ..*system };
        let mut world = World { budget, ..start.clone() };
        let begin = world.clone();
        let mut acts = vec![];
        let mut wrong = None;
        for _ in 0..length {
            let mut possible = vec![];
            system.actions(&world, &mut possible);
            // Mostly on its way, lest it stumbles at the first steps for ever.
            if chance.below(3) > 0 {
                possible.retain(Act::goes_on);
            }
            let Some(index) = possible.len().checked_sub(1) else { continue };
            let act = possible.swap_remove(chance.below(index + 1));
            world.act(act.clone(), &system.laws);
            acts.push(act);
            wrong = complaint(system, &world);
            if wrong.is_some() {
                break;
            }
        }
        let complaint = wrong.or_else(|| at_rest(system, &world))?;
        let acts = shorten(system, &begin, acts, &complaint);
        Some(Failure { complaint, acts })
    })
}

/// A few kinds of what could happen at a time, so that walks differ and do not drown in faults.
fn thin(mut budget: Budget, chance: &mut Chance) -> Budget {
    let kinds = 2 + chance.below(3);
    let mut some = |limit: &mut u8| {
        *limit = if chance.below(kinds + 1) == 0 { *limit } else { 0 };
    };
    budget.each(&mut some);
    budget
}
