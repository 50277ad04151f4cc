//! Arguments of `app` and `webhooks`.

use clap::{Args, Subcommand};
use storage::ids::{AppId, TenantName};
use uuid::Uuid;

use crate::engine::session::event::Event;
use crate::engine::webhook::application::RATE_LIMIT_MAX;

/// `app`
#[derive(Debug, Subcommand)]
pub enum AppCommand {
    /// List applications
    #[command(after_help = "EXAMPLE\n  callreel app list")]
    List,
    /// Show an application, without its key and secret
    #[command(after_help = "EXAMPLE\n  callreel app show acme")]
    Show {
        /// The application, which is the tenant of the same name
        app: AppId,
    },
    /// Add an application, or change it; adds the tenant of its name if there is none
    ///
    /// What is left out stays. A new application needs a key. A new secret, and a generated key,
    /// are shown this once. An application whose receiver had answered 410 is delivered to again.
    #[command(
        after_help = "EXAMPLE\n  callreel app set acme --generate-key --webhook-url \
                      https://crm.example.com/callreel\n  \
                      callreel app set acme --events call.new,call.hangup --rate-limit 600\n  \
                      callreel app set acme --all-events --new-secret"
    )]
    Set(AppSetArgs),
}

/// `app set`
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("change").required(true).multiple(true))]
pub struct AppSetArgs {
    /// The application, which is the tenant of the same name
    pub app: AppId,
    /// Where its events go
    #[arg(long, value_name = "URL", group = "change")]
    pub webhook_url: Option<String>,
    /// Its events go nowhere any more
    #[arg(long, conflicts_with = "webhook_url", group = "change")]
    pub no_webhook: bool,
    /// Read its key from standard input, one line: 16 to 256 printable characters without spaces
    #[arg(long, group = "change")]
    pub api_key_stdin: bool,
    /// Make a key and show it, this once
    #[arg(long, conflicts_with = "api_key_stdin", group = "change")]
    pub generate_key: bool,
    /// Requests a minute [default for a new one: 100]
    #[arg(long, value_name = "N", group = "change",
          value_parser = clap::value_parser!(u32).range(1..=i64::from(RATE_LIMIT_MAX)))]
    pub rate_limit: Option<u32>,
    /// The events it hears of, separated by commas
    #[arg(long, value_name = "EVENT", value_delimiter = ',', value_parser = Event::NAMES,
          group = "change")]
    pub events: Vec<String>,
    /// It hears of all events
    #[arg(long, conflicts_with = "events", group = "change")]
    pub all_events: bool,
    /// Sign its webhooks with a new secret from now on, and show it, this once
    #[arg(long, group = "change")]
    pub new_secret: bool,
}

/// `webhooks`
#[derive(Debug, Subcommand)]
pub enum WebhooksCommand {
    /// List applications with what waits for them, or the events that could not be delivered
    #[command(after_help = "EXAMPLE\n  callreel webhooks list\n  \
                      callreel webhooks list --dead --tenant acme --limit 20")]
    List {
        /// Only this tenant's
        #[arg(long)]
        tenant: Option<TenantName>,
        /// List dead letters: events that are not tried any more, oldest first
        #[arg(long)]
        dead: bool,
        /// At most so many dead letters, 1 to 500
        #[arg(long, value_name = "N", default_value_t = 50, requires = "dead",
              value_parser = clap::value_parser!(u32).range(1..=500))]
        limit: u32,
    },
    /// Show a dead letter with its body
    #[command(
        after_help = "EXAMPLE\n  callreel webhooks show 0b0f7f8e-6f0a-4c53-9d0c-3a3f1f1c2d3e"
    )]
    Show {
        /// Its id, from 'callreel webhooks list --dead'
        #[arg(value_name = "ID")]
        id: Uuid,
    },
    /// Deliver dead letters again, under their ids and sequences
    #[command(
        after_help = "EXAMPLE\n  callreel webhooks replay --tenant acme --all --dry-run\n  \
                      callreel webhooks replay --tenant acme --all --yes\n  \
                      callreel webhooks replay --tenant acme \
                      0b0f7f8e-6f0a-4c53-9d0c-3a3f1f1c2d3e"
    )]
    Replay(ReplayArgs),
}

/// `webhooks replay`
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Whose
    #[arg(long)]
    pub tenant: TenantName,
    /// Which; 'callreel webhooks list --dead' shows them
    #[arg(
        value_name = "ID",
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    pub ids: Vec<Uuid>,
    /// All of them; asks first
    #[arg(long)]
    pub all: bool,
    /// Do not ask; needed where there is no terminal to ask on
    #[arg(long)]
    pub yes: bool,
    /// Tell how many would be replayed, and replay none
    #[arg(long)]
    pub dry_run: bool,
}
