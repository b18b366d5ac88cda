{#- Every known value of the column stands in `field` of `to`, or is `or_else`. Unlike a foreign key,
    `field` may repeat: distinct values are compared, so large tables are read once. -#}
{% test among_values(model, column_name, to, field, or_else) %}
select found.found_value
from (select distinct {{ column_name }} as found_value from {{ model }}) as found
left join (select distinct {{ field }} as listed_value from {{ to }}) as listed
    on found.found_value = listed.listed_value
where listed.listed_value is null and found.found_value <> '{{ or_else }}'
{% endtest %}
