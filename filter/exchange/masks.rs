//! The masks of a policy: compiled with the set, and made whole with the caller's identity where a scope asks for it.

use std::rc::Rc;

use super::environment::{Env, fill};
use super::plans::Plans;
use crate::config::Problem;
use crate::config::set::{self, Located, Scope, ScopePart};
use crate::identity::Identity;
use crate::mask::operators::pseudonym::SHORTEST_KEY;
use crate::mask::operators::{Operator, Operators, Partial, Pseudonyms};
use crate::mask::{Catalogue, Entities, Plan};
use crate::order;

/// A mask, compiled.
pub struct Masking {
    /// What is looked for. Everything found is replaced: see [`Self::operators`].
    pub plan: Plan,
    /// Whether what stands for values in a prompt is taken back in the answer.
    pub restore: bool,
    entities: Entities,
    all: Cast,
    some: Vec<(Entities, Cast)>,
    /// The operators, where they are the same for all callers.
    same: Option<Rc<Operators>>,
}

/// An operator, or what is known of it before the caller is.
enum Cast {
    Ready(Operator),
    /// It has no `Debug`, so that the key reaches no log.
    Pseudonym {
        key: Rc<[u8]>,
        scope: Scope,
    },
}

impl Masking {
    /// Compiles a mask; `env` as for [`super::guard::Guard::compile`].
    #[inline(never)]
    pub(super) fn compile(
        mask: &set::Mask,
        plans: &Plans<'_>,
        env: Option<&Env<'_>>,
        problems: &mut Vec<Problem>,
    ) -> Option<Self> {
        let (before, catalogue) = (problems.len(), plans.catalogue());
        let entities = resolve(&mask.entities, catalogue, problems);
        let all = cast(&mask.operator, env, problems);
        let mut sets: Vec<(&Located<String>, Entities, Option<Cast>)> = Vec::new();
        for (name, operator) in &mask.overrides {
            let chosen = overridden(name, entities, catalogue, problems);
            sets.push((name, chosen, cast(operator, env, problems)));
        }
        // An entity's own override goes before its set's; of two sets neither does.
        order::sort_by(&mut sets, |(_, a, _), (_, b, _)| a.len().cmp(&b.len()));
        for (at, (name, chosen, _)) in sets.iter().enumerate() {
            for (other, wider, _) in sets.iter().skip(at.saturating_add(1)) {
                ambiguous((name, *chosen), (other, *wider), &sets, catalogue, problems);
            }
        }
        if problems.len() > before {
            return None;
        }
        let some = sets.into_iter().filter_map(|(_, chosen, cast)| Some((chosen, cast?))).collect();
        let plan = plans.get(entities, Vec::new());
        let mut masking = Self { plan, restore: mask.restore, entities, all: all?, some, same: None };
        let fixed = masking.casts().all(|cast| cast.is_fixed());
        masking.same = if fixed { masking.cast(None).ok().map(Rc::new) } else { None };
        Some(masking)
    }

    /// The entities it looks for.
    pub fn entities(&self) -> Entities {
        self.entities
    }

    fn casts(&self) -> impl Iterator<Item = &Cast> {
        std::iter::once(&self.all).chain(self.some.iter().map(|(_, cast)| cast))
    }

    /// The operators for a caller.
    ///
    /// # Errors
    /// What a scope needs and the caller's token lacks, as a sentence.
    pub fn operators(&self, identity: Option<&Identity>) -> Result<Rc<Operators>, String> {
        match &self.same {
            Some(same) => Ok(Rc::clone(same)),
            None => self.cast(identity).map(Rc::new),
        }
    }

    fn cast(&self, identity: Option<&Identity>) -> Result<Operators, String> {
        let mut operators = Operators::new(self.all.of(identity)?);
        for (entities, cast) in &self.some {
            operators = operators.except(*entities, cast.of(identity)?);
        }
        Ok(operators)
    }

    /// The name of what becomes of an entity's values, and whether it is blocked or stays.
    fn kind(&self, entity: crate::mask::text::Entity) -> &Cast {
        let own = self.some.iter().find(|(entities, _)| entities.contains(entity));
        own.map_or(&self.all, |(_, cast)| cast)
    }

    /// The name of what becomes of an entity's values.
    pub fn operator_name(&self, entity: crate::mask::text::Entity) -> &'static str {
        if entity == crate::mask::UPSTREAM_CREDENTIAL {
            return Operator::Replace.name();
        }
        match self.kind(entity) {
            Cast::Ready(operator) => operator.name(),
            Cast::Pseudonym { .. } => "pseudonym",
        }
    }

    /// Whether an entity's values end the text.
    pub fn blocks_entity(&self, entity: crate::mask::text::Entity) -> bool {
        matches!(self.kind(entity), Cast::Ready(Operator::Block))
    }

    /// Whether some value ends the text.
    pub fn blocks(&self) -> bool {
        self.entities.iter().any(|entity| self.blocks_entity(entity))
    }

    /// Whether some value does not stay as it is.
    pub fn alters(&self) -> bool {
        self.entities.iter().any(|entity| !matches!(self.kind(entity), Cast::Ready(Operator::Flag)))
    }
}

impl Cast {
    fn is_fixed(&self) -> bool {
        match self {
            Self::Ready(_) => true,
            Self::Pseudonym { scope, .. } => {
                scope.parts.iter().all(|part| matches!(part, ScopePart::Text(_)))
            }
        }
    }

    fn of(&self, identity: Option<&Identity>) -> Result<Operator, String> {
        match self {
            Self::Ready(operator) => Ok(operator.clone()),
            Self::Pseudonym { key, scope } => {
                Ok(Operator::Pseudonym(Pseudonyms::new(key, &scope_of(scope, identity)?)))
            }
        }
    }
}

/// The text of a scope. A part that is not there or empty has none: two callers without a tenant are not one tenant.
fn scope_of(scope: &Scope, identity: Option<&Identity>) -> Result<String, String> {
    let mut text = String::new();
    for part in &scope.parts {
        let part = match part {
            ScopePart::Text(text) => Some(text.as_str()),
            ScopePart::Id => identity.map(|identity| identity.id.as_str()),
            ScopePart::Subject => identity.map(|identity| identity.subject.as_str()),
            ScopePart::Issuer => identity.map(|identity| identity.issuer.as_str()),
            ScopePart::Claim(path) => {
                let claim =
                    identity.and_then(|identity| identity.claim(path)).and_then(serde_json::Value::as_str);
                let claim = claim.filter(|claim| !claim.is_empty());
                let missing = || {
                    format!(
                        "the scope of pseudonyms needs the claim `{}` of the token, as text",
                        path.join(".")
                    )
                };
                text.push_str(claim.ok_or_else(missing)?);
                continue;
            }
        };
        let part = part.filter(|part| !part.is_empty());
        text.push_str(part.ok_or("the scope of pseudonyms needs an identity, and there is none")?);
    }
    Ok(text)
}

#[inline(never)]
fn cast(operator: &set::Operator, env: Option<&Env<'_>>, problems: &mut Vec<Problem>) -> Option<Cast> {
    Some(Cast::Ready(match operator {
        set::Operator::Replace => Operator::Replace,
        set::Operator::Mask { keep_first, keep_last, character } => {
            Operator::Mask(Partial { keep_first: *keep_first, keep_last: *keep_last, character: *character })
        }
        set::Operator::Redact => Operator::Redact,
        set::Operator::Block => Operator::Block,
        set::Operator::Flag => Operator::Flag,
        set::Operator::Pseudonym { key, scope } => {
            let secret = match env {
                Some(env) => fill(key, env, &mut Vec::new(), problems)?,
                // The set alone is checked: no name will be made.
                None => "0".repeat(SHORTEST_KEY),
            };
            if secret.len() < SHORTEST_KEY {
                let message = format!("is a key of {} bytes, which can be guessed", secret.len());
                let help = format!(
                    "give {SHORTEST_KEY} random bytes or more, such as `openssl rand -hex 32` prints"
                );
                problems.push(Problem::error(&key.place, message).help(help));
                return None;
            }
            return Some(Cast::Pseudonym { key: secret.into_bytes().into(), scope: scope.clone() });
        }
    }))
}

fn resolve(names: &[Located<String>], catalogue: &Catalogue, problems: &mut Vec<Problem>) -> Entities {
    names.iter().fold(Entities::NONE, |all, name| all.union(resolved(name, catalogue, problems)))
}

#[inline(never)]
pub(super) fn resolved(
    name: &Located<String>,
    catalogue: &Catalogue,
    problems: &mut Vec<Problem>,
) -> Entities {
    catalogue.resolve(&name.value).unwrap_or_else(|error| {
        problems.push(Problem::error(&name.place, error.to_string()));
        Entities::NONE
    })
}

/// The entities of an override: those of the mask.
#[inline(never)]
fn overridden(
    name: &Located<String>,
    entities: Entities,
    catalogue: &Catalogue,
    problems: &mut Vec<Problem>,
) -> Entities {
    let named = resolved(name, catalogue, problems);
    let chosen: Entities = named.iter().filter(|entity| entities.contains(*entity)).collect();
    if !named.is_empty() && chosen.is_empty() {
        let message =
            format!("`{}` is not among the mask's `entities`, so nothing of it is found", name.value);
        problems.push(Problem::error(&name.place, message).help("add it there, or take the override out"));
    }
    chosen
}

/// Two sets that share an entity, where neither is part of the other and the entity has no override of its own.
fn ambiguous(
    (name, chosen): (&Located<String>, Entities),
    (other, wider): (&Located<String>, Entities),
    all: &[(&Located<String>, Entities, Option<Cast>)],
    catalogue: &Catalogue,
    problems: &mut Vec<Problem>,
) {
    let own = |entity| all.iter().any(|(_, one, _)| one.len() == 1 && one.contains(entity));
    let shared = chosen.iter().find(|entity| wider.contains(*entity) && !own(*entity));
    let within = chosen.iter().all(|entity| wider.contains(entity)) && chosen != wider;
    if let (Some(entity), false) = (shared, within) {
        let message = format!("both `{}` and `{}` hold {}", name.value, other.value, catalogue.name(entity));
        let help = format!("give {} an override of its own", catalogue.name(entity));
        problems.push(Problem::error(&other.place, message).help(help));
    }
}
