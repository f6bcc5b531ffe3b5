//! *On this computer*: a tenant, its owner, this device's key, one agent's key, and samples where they are wanted.

use crate::{
    embedded::Owner,
    error::{CommandError, ErrorCode},
    samples,
    shell::Shell,
    view::setup::{FirstAgent, StartHere},
};

const FIRST_AGENT: &str = "My first agent";
const SAMPLE_AGENT: &str = "Sample agent";
/// An agent's name is taken as long as it is in service.
const MANY: u32 = 100;

impl Shell {
    /// Sets everything up. The agent's key is shown once, with a command line that works as it stands.
    pub(crate) async fn start_here(&self, form: StartHere) -> Result<FirstAgent, CommandError> {
        let owner = Owner {
            name: form.name,
            email: form.email.filter(|email| !email.trim().is_empty()),
        };
        self.set_up_here(owner).await?;
        let agent = self.free_agent(FIRST_AGENT).await?;
        if form.samples {
            self.load_samples().await?;
        }
        Ok(agent)
    }

    /// The same without a question, for a machine without a screen. Nothing happens where something was set up.
    pub(crate) async fn start_here_unasked(&self) -> Result<(), CommandError> {
        if self.engine()?.phase() != countersign_engine::Phase::FirstRun {
            return Ok(());
        }
        let name = std::env::var("USER").ok().filter(|name| !name.trim().is_empty());
        let form = StartHere {
            name: name.unwrap_or_else(|| "Owner".to_owned()),
            email: None,
            samples: true,
        };
        self.start_here(form).await.map(drop)
    }

    /// Proposes the samples with an agent's own key, over HTTP.
    pub(crate) async fn load_samples(&self) -> Result<(), CommandError> {
        if !self.is_here() {
            return Err(CommandError::refused(
                "Samples are only for a tenant on this computer.",
            ));
        }
        let tenant = self.tenant()?;
        let agent = self.free_agent(SAMPLE_AGENT).await?;
        samples::send(&agent.propose_url, tenant, &agent.api_key)
            .await
            .map_err(|error| {
                tracing::error!("The samples were not taken: {error:#}");
                CommandError {
                    code: ErrorCode::Internal,
                    message: "The samples could not be proposed. The log has the details.".to_owned(),
                    field: None,
                }
            })?;
        self.engine()?.refresh();
        Ok(())
    }

    /// Registers an agent of the tenant.
    pub(crate) async fn create_agent(&self, name: String) -> Result<FirstAgent, CommandError> {
        let (created, address) = self.engine()?.create_agent(name.clone()).await?;
        Ok(FirstAgent::new(name, created.api_key, &address, self.tenant()?))
    }

    /// An agent under `name`, or the first free name after it.
    async fn free_agent(&self, name: &str) -> Result<FirstAgent, CommandError> {
        let mut number = 1;
        loop {
            let tried = if number == 1 {
                name.to_owned()
            } else {
                format!("{name} {number}")
            };
            match self.create_agent(tried).await {
                Err(error) if error.field.as_deref() == Some("name") && number < MANY => number += 1,
                other => return other,
            }
        }
    }
}
