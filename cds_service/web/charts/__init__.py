"""Charts as SVG, drawn on the server; `templates/charts.html` prints them.

Each is told without colour too, says in words what it shows, and has its numbers in a table. No
script, no style but classes of `static/charts.css` (decision 0036).
"""

from cds_service.web.charts.bars import bars, columns
from cds_service.web.charts.histogram import histogram
from cds_service.web.charts.lines import lines
from cds_service.web.charts.parts import Chart, Series, Unit
from cds_service.web.charts.reliability import Group, reliability

__all__ = [
    "Chart",
    "Group",
    "Series",
    "Unit",
    "bars",
    "columns",
    "histogram",
    "lines",
    "reliability",
]
