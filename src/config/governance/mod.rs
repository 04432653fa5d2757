//! Governance properties as settings: what files and administrators say by WSO2's names, and what that comes to.
//!
//! `written` reads them from files, `wso2` from the sections WSO2 has for them in deployment.toml, `overlay` holds what
//! administrators have set, `typed` lays them over the settings everything else reads.

pub mod overlay;
pub mod typed;
pub mod written;
pub mod wso2;

pub use overlay::{Overlay, Set};
pub use typed::{Governed, Layers, rule_numbers, value_of};

#[cfg(test)]
mod tests;
