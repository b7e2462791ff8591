//! What every page has in common.

pub mod assets;
pub mod compression;
pub mod enrolment;
pub mod error;
pub mod flash;
pub mod forms;
pub mod headers;
pub mod page;
pub mod preferences;
pub mod return_to;
pub mod site;
pub mod urls;
pub mod user_agent;
