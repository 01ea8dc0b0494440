//! Who owns which field (`metadata.managedFields`): sets of fields, and what writes do to them.

mod apply;
mod manage;
mod set;
mod shape;

pub(crate) use apply::apply;
pub(crate) use manage::{Manager, track};
pub(crate) use shape::{Lists, Node};
