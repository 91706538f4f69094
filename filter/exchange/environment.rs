//! The proxy's environment, and what it fills in.

use crate::config::Problem;
use crate::config::set::{Place, Template, TemplatePart};

/// The proxy's environment: the value of a variable, where it is set and let through.
pub type Env<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// Puts the environment's values into a template; `secrets` takes each of them.
pub fn fill(
    template: &Template,
    env: &Env<'_>,
    secrets: &mut Vec<Vec<u8>>,
    problems: &mut Vec<Problem>,
) -> Option<String> {
    let mut text = String::new();
    for part in &template.parts {
        match part {
            TemplatePart::Text(fixed) => text.push_str(fixed),
            // Where one may stand it is not filled in here: the grammar refuses it elsewhere.
            TemplatePart::Secret(_) => return None,
            TemplatePart::Env(name) => match env(name).filter(|value| !value.is_empty()) {
                Some(value) if value.bytes().any(|byte| byte.is_ascii_control()) => {
                    problems.push(unusable(
                        &template.place,
                        name,
                        "holds a line end or another control character",
                    ));
                    return None;
                }
                Some(value) => {
                    secrets.push(value.clone().into_bytes());
                    text.push_str(&value);
                }
                None => {
                    problems.push(unusable(
                        &template.place,
                        name,
                        "is not set, or the proxy does not let it through",
                    ));
                    return None;
                }
            },
        }
    }
    Some(text)
}

fn unusable(place: &Place, name: &str, what: &str) -> Problem {
    Problem::error(place, format!("the environment variable `{name}` {what}"))
        .help("list it in vm_config.environment_variables.host_env_keys and set it for Envoy's process")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_takes_its_values_from_the_environment_and_nothing_else() {
        let template = Template {
            parts: vec![TemplatePart::Text("Bearer ".into()), TemplatePart::Env("KEY".into())],
            place: Place::default(),
        };
        let (mut secrets, mut problems) = (Vec::new(), Vec::new());
        let filled = fill(&template, &|_| Some("sk-1".into()), &mut secrets, &mut problems);
        assert_eq!(filled.as_deref(), Some("Bearer sk-1"));
        assert_eq!(secrets, [b"sk-1".to_vec()]);
        for missing in [None, Some(String::new()), Some("a\nb".into())] {
            assert_eq!(fill(&template, &|_| missing.clone(), &mut secrets, &mut problems), None);
        }
        assert_eq!(problems.len(), 3);
    }
}
