//! Everything below the routers: connections, requests as they arrive, and their bodies. This layer limits how much
//! memory and time a client can use, and knows nothing of what is served. May import `metrics` and `types`.

pub mod body;
pub mod headers;
pub mod listener;
pub mod tracked;
