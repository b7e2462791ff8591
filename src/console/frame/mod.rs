//! The parts that all pages share: the page frame, headers, URLs, errors, style and script. Pages import this module;
//! it imports no page and no session.

pub mod assets;
pub mod compression;
pub mod enrolment;
pub mod error_page;
pub mod flash;
pub mod form_state;
pub mod form_token;
pub mod headers;
pub mod moment;
pub mod page;
pub mod problem;
pub mod reader;
pub mod return_to;
pub mod site;
pub mod urls;
pub mod user_agent;
