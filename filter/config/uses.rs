//! What a set needs from around it: environment variables and clusters of its Envoy.

use std::collections::BTreeSet;

use super::set::{ClusterRef, JwksSource, Located, Operator, PolicySet, Template, TemplatePart};

impl PolicySet {
    /// Names of the environment variables that the set reads, in order of the alphabet.
    pub fn env_names(&self) -> BTreeSet<&str> {
        let credentials = self.connections.iter().flat_map(|connection| &connection.credentials);
        let headers = self.cluster_refs().flat_map(|cluster| cluster.headers.iter().map(|(_, value)| value));
        let credentials = credentials.map(|credential| &credential.value);
        let keys = self.pseudonym_keys().chain(self.signing_key()).chain(self.client_secrets());
        let keys = keys.chain(self.secrets.iter().filter_map(|secret| secret.token.as_ref()));
        credentials.chain(headers).chain(keys).flat_map(names).collect()
    }

    /// The secrets by which the module is known to issuers that it asks about tokens.
    pub fn client_secrets(&self) -> impl Iterator<Item = &Template> {
        let asked = self.issuers.iter().filter_map(|issuer| issuer.proof.introspection());
        asked.filter_map(|asked| asked.client.as_ref().map(|(_, secret)| secret))
    }

    /// The key that anchors are signed under.
    pub fn signing_key(&self) -> Option<&Template> {
        self.audit.as_ref()?.signing_key.as_ref()
    }

    /// The keys under which pseudonyms are made.
    pub fn pseudonym_keys(&self) -> impl Iterator<Item = &Template> {
        let masks =
            self.policies.iter().flat_map(|policy| policy.mask_prompt.iter().chain(&policy.mask_response));
        let operators = masks.flat_map(|mask| {
            std::iter::once(&mask.operator).chain(mask.overrides.iter().map(|(_, operator)| operator))
        });
        operators.filter_map(|operator| match operator {
            Operator::Pseudonym { key, .. } => Some(key),
            _ => None,
        })
    }

    /// The clusters that the module itself calls, each once, where the set first names it.
    pub fn clusters(&self) -> Vec<&Located<String>> {
        let mut seen = BTreeSet::new();
        self.cluster_refs()
            .map(|cluster| &cluster.cluster)
            .filter(|name| seen.insert(name.value.as_str()))
            .collect()
    }

    /// The headers that the module adds to its calls.
    pub fn headers(&self) -> impl Iterator<Item = &(String, Template)> {
        self.cluster_refs().flat_map(|cluster| &cluster.headers)
    }

    fn cluster_refs(&self) -> impl Iterator<Item = &ClusterRef> {
        let keys = self.issuers.iter().filter_map(|issuer| issuer.proof.keys().and_then(JwksSource::cluster));
        let asked = self.issuers.iter().filter_map(|issuer| issuer.proof.introspection());
        let keys = keys.chain(asked.map(|asked| &asked.cluster));
        let keys = keys.chain(self.secrets.iter().map(|secret| &secret.cluster));
        let recognisers = self.recognisers.iter().map(|recogniser| &recogniser.cluster);
        let rates = self.rate_limit_service.iter().map(|service| &service.cluster);
        let approvals = self.approvals.iter().map(|service| &service.cluster);
        let audit = self.audit.iter().map(|audit| &audit.cluster);
        keys.chain(audit).chain(recognisers).chain(rates).chain(approvals)
    }
}

fn names(template: &Template) -> impl Iterator<Item = &str> {
    template.parts.iter().filter_map(|part| match part {
        TemplatePart::Env(name) => Some(name.as_str()),
        TemplatePart::Text(_) | TemplatePart::Secret(_) => None,
    })
}
