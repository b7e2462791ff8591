//! Enums that are stored under names.

/// An enum whose variants are stored under names that do not change: records are filtered and exported by them.
macro_rules! stored_names {
    ($(#[$meta:meta])* $name:ident { $($(#[$of_variant:meta])* $variant:ident = $stored:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$of_variant])* $variant,)*
        }

        impl $name {
            /// All of them, in their order here.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The stored name.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $stored,)*
                }
            }

            /// Whose stored name this is; none of a name that only another version knows.
            pub fn parse(stored: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == stored)
            }
        }
    };
}

pub(crate) use stored_names;
