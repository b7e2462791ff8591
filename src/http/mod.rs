//! What lies below every router: connections, requests as they arrive, and their bodies. Here it is decided who may take how
//! much room and time; nothing here knows what is served. May import `metrics` and `types`.

pub mod body;
pub mod headers;
pub mod listener;
pub mod tracked;
