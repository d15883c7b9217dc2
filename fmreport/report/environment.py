"""Where templates are found, how their values are escaped, and what an error in one of them says."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jinja2
from markupsafe import Markup

from fmreport.errors import FmreportError, RenderError
from fmreport.figures.glyphs import drawable

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
_HERE = Path(__file__).parent


def builtin_templates() -> Path:
    """The folder of fmreport's own templates: inside the package as installed, beside it in a checkout."""
    for folder in (_HERE.parent / "templates", _HERE.parent.parent / "templates"):
        if (folder / "report.html.j2").is_file():
            return folder
    raise RenderError("fmreport's own templates are missing", fix="install fmreport again")


def html_environment(template_dir: Path | None) -> jinja2.Environment:
    """Every value is escaped, whatever the template is called."""
    return jinja2.Environment(
        loader=_loader(template_dir),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        finalize=_in_reading_order,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _in_reading_order(value: object) -> object:
    """Text without the characters that turn what follows them around; they are written as their code points."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return _TURNING.sub(lambda found: f"[U+{ord(found[0]):04X}]", value)


def typst_environment(template_dir: Path | None) -> jinja2.Environment:
    """Every value becomes a literal of Typst: `{{ value }}` in code, `#{{ value }}` in markup.

    What templates make themselves (macros, `super()`) is Markup and stays as it is; autoescape only tells it apart.
    """
    return jinja2.Environment(
        loader=_loader(template_dir),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


@jinja2.pass_context  # which also keeps Jinja from escaping constants before they come here
def _finalize(_: jinja2.runtime.Context, value: object) -> Markup:
    return value if isinstance(value, Markup) else Markup(typst_literal(value))


def typst_literal(value: object) -> str:
    """A value in Typst's own notation, so that it can be no markup. Raises `TypeError` for what Typst does not have."""
    if isinstance(value, jinja2.Undefined):
        return str(value)
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"({value})"
    if isinstance(value, float):
        return _typst_float(value)
    if isinstance(value, str):
        return f'"{drawable(value).translate(_ESCAPES)}"'
    if isinstance(value, list | tuple):
        return f"({''.join(f'{typst_literal(item)}, ' for item in value)})"
    if isinstance(value, dict):
        pairs = [f"{typst_literal(str(key))}: {typst_literal(item)}" for key, item in value.items()]
        return f"({', '.join(pairs)})" if pairs else "(:)"
    raise TypeError(f"{type(value).__name__} has no literal in Typst")


def _typst_float(value: float) -> str:
    if math.isnan(value):
        return "float.nan"
    if math.isinf(value):
        return "float.inf" if value > 0 else "(-float.inf)"
    return f"({value!r})"


def render(environment: jinja2.Environment, name: str, page: object, template_dir: Path | None) -> str:
    """The template's text for a page. A template that fails raises `RenderError` with its name and line."""
    with told(template_dir):
        return environment.get_template(name).render(page=page)


@contextmanager
def told(template_dir: Path | None) -> Iterator[None]:
    """Makes what goes wrong in a template a `RenderError` with its name and line."""
    try:
        yield
    except jinja2.TemplateNotFound as error:
        raise RenderError(
            f"template {error.name} was not found", fix=f"{_where(template_dir)}, or name one of fmreport's own"
        ) from error
    except jinja2.TemplateSyntaxError as error:
        raise RenderError(
            f"{_short(error.filename or error.name or '', template_dir)}:{error.lineno}: {error.message}",
            fix=_fix(error),
        ) from error
    except FmreportError:
        raise
    except Exception as error:
        # A template may call anything, so anything may come out of it; where none of its lines is to blame, it is ours.
        place = _line_in_template(error, template_dir)
        if place is None:
            raise
        raise RenderError(f"{place}: {type(error).__name__}: {error}", fix=_fix(error)) from error


def _loader(template_dir: Path | None) -> jinja2.BaseLoader:
    builtin = jinja2.FileSystemLoader(builtin_templates())
    own = [] if template_dir is None else [jinja2.FileSystemLoader(template_dir)]
    return jinja2.ChoiceLoader([*own, jinja2.PrefixLoader({"fmreport": builtin}), builtin])


def _where(template_dir: Path | None) -> str:
    return "put it beside the report's other templates" if template_dir is None else f"put it into {template_dir.name}/"


def _fix(error: Exception) -> str:
    if isinstance(error, jinja2.UndefinedError):
        return "templates know `page`, whose fields are those of fmreport/report/page.py, and `theme`"
    return "mend that line, or leave report.template out to use fmreport's own template"


def _short(filename: str, template_dir: Path | None) -> str:
    """A template's path from the user's folder on, or inside fmreport's own: a run renders in a temporary folder."""
    path = Path(filename)
    if template_dir is not None and path.is_relative_to(template_dir):
        return path.relative_to(template_dir.parent).as_posix()
    builtin = builtin_templates()
    return path.relative_to(builtin).as_posix() if path.is_relative_to(builtin) else filename


def _line_in_template(error: BaseException, template_dir: Path | None) -> str | None:
    """`path:line` of the innermost template in an error's traceback."""
    place, trace = None, error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if name.endswith((".j2", ".css", ".js")):
            place = f"{_short(name, template_dir)}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
