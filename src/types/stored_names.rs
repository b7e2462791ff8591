//! Enums that are stored by name.

/// Declares an enum whose variants are stored by name. The names must not change, because records are filtered and
/// exported by them.
macro_rules! stored_names {
    ($(#[$meta:meta])* $name:ident { $($(#[$of_variant:meta])* $variant:ident = $stored:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$of_variant])* $variant,)*
        }

        impl $name {
            /// All variants, in the order of their declaration.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The stored name.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $stored,)*
                }
            }

            /// The variant with this stored name. `None` for a name that only another version knows.
            pub fn parse(stored: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == stored)
            }
        }
    };
}

pub(crate) use stored_names;
