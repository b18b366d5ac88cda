{#- Every known value of the column lies between `at_least` and `at_most`, either of which may be
    left out; null is unknown and passes. -#}
{% test accepted_range(model, column_name, at_least=none, at_most=none) %}
select {{ column_name }}
from {{ model }}
where {{ column_name }} is not null
    and not (
        {% if at_least is not none %}{{ column_name }} >= {{ at_least }}{% else %}true{% endif %}
        and {% if at_most is not none %}{{ column_name }} <= {{ at_most }}{% else %}true{% endif %}
    )
{% endtest %}
