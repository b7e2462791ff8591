//! The macro that declares settings. `config::settings` uses it.

/// A setting, as its declaration describes it.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The setting's name in the file. Flag and variable follow from it: `data_dir`, `--data-dir`, `LATCHKEY_DATA_DIR`.
    pub name: &'static str,
    /// The default value, in the form in which a flag takes it.
    pub default: Option<&'static str>,
    /// Without a default, what happens if the setting is not given, in words.
    pub otherwise: Option<&'static str>,
}

impl Setting {
    /// The setting's flag.
    pub fn flag(&self) -> String {
        format!("--{}", self.name.replace('_', "-"))
    }

    /// The setting's environment variable.
    pub fn variable(&self) -> String {
        format!("LATCHKEY_{}", self.name.to_uppercase())
    }

    /// The default, as the help and the documentation show it.
    pub fn shown_default(&self) -> Option<&'static str> {
        self.default.or(self.otherwise)
    }

    /// The help text: the doc comment's lines and the default.
    pub(super) fn help(&self, lines: &[&str]) -> String {
        let help = lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
        self.shown_default().map_or(help.clone(), |default| format!("{help} [default: {default}]"))
    }
}

/// Declares the settings. From each declaration
///
/// ```text
/// /// Time without activity after which a session ends
/// #[arg(value_name = "TIME")]
/// pub session_idle: Span as Duration = "15m";
/// ```
///
/// it generates a field of `GivenSettings` (`Option<Span>`) with its flag, variable and help, a field of `Settings`
/// (`Duration`), and an entry of `SETTINGS`. Without `as`, both fields have the same type. A setting without a default
/// may stay unset. Its field of `Settings` is an `Option`, and `otherwise "…"` says in the help what happens then.
/// `derived` adds fields to `Settings` that follow from the others.
macro_rules! settings {
    (
        $(
            $(#[doc = $help:literal])+
            #[arg($($arg:tt)+)]
            $vis:vis $name:ident: $type:ty $(as $into:ty)? $(= $default:literal)? $(, otherwise $otherwise:literal)?;
        )+
        derived {
            $(
                $(#[doc = $derived_help:literal])+
                $derived_vis:vis $derived:ident: $derived_type:ty = $value:expr;
            )+
        }
    ) => {
        /// All settings, in the order of the help.
        pub const SETTINGS: &[Setting] = &[
            $(Setting {
                name: stringify!($name),
                default: settings!(@option $($default)?),
                otherwise: settings!(@option $($otherwise)?),
            },)+
        ];

        /// The settings as they are given: by flag, variable or file. Each may be missing.
        #[derive(Clone, Debug, Default, clap::Args)]
        #[command(next_help_heading = "Settings")]
        pub struct GivenSettings {
            $(
                $(#[doc = $help])+
                #[arg(long, global = true, env = setting(stringify!($name)).variable().leak() as &str)]
                #[arg(help = setting(stringify!($name)).help(&[$($help),+]), $($arg)+)]
                pub $name: Option<$type>,
            )+
        }

        impl GivenSettings {
            /// These settings, and those from `lower` that are missing here.
            pub(super) fn over(self, lower: Self) -> Self {
                Self { $($name: self.$name.or(lower.$name),)+ }
            }

            /// These settings, and the defaults for those that are missing.
            pub(super) fn complete(self) -> Settings {
                let Self { $($name),+ } = self.over(Self::defaults());
                $(let $name = settings!(@value $name $(as $into)? $(= $default)?);)+
                Settings { $($derived: $value,)+ $($name,)+ }
            }
        }

        /// The settings, complete and checked.
        #[derive(Clone, Debug)]
        pub struct Settings {
            $($(#[doc = $help])+ $vis $name: settings!(@type $type $(as $into)? $(= $default)?),)+
            $($(#[doc = $derived_help])+ $derived_vis $derived: $derived_type,)+
        }
    };
    (@option) => { None };
    (@option $text:literal) => { Some($text) };
    (@type $type:ty) => { Option<$type> };
    (@type $type:ty = $default:literal) => { $type };
    (@type $type:ty as $into:ty = $default:literal) => { $into };
    (@value $given:ident) => { $given };
    (@value $given:ident = $default:literal) => { $given.expect("a setting with a default") };
    (@value $given:ident as $into:ty = $default:literal) => { $given.expect("a setting with a default").into() };
}

pub(super) use settings;
