{#- Every row satisfies every condition; failing rows come back with the first one they break. -#}
{% test rows_satisfy(model, conditions) %}
select
    case
        {%- for condition in conditions %}
        when not coalesce({{ condition }}, false) then '{{ condition | replace("'", "''") }}'
        {%- endfor %}
    end as broken_condition,
    checked.*
from {{ model }} as checked
where not (
    {%- for condition in conditions %}
    {% if not loop.first %}and {% endif %}coalesce({{ condition }}, false)
    {%- endfor %}
)
{% endtest %}
