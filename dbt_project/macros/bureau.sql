{#- The worst month of the newest `months` of a history string: 0 to 6 months late, 7 for collection,
    foreclosure, surrender or repossession (G, H, J, K), 8 for charge-off (L); a zero balance (E) is
    0, months without data (B, D) say nothing, and a string that says nothing is null. -#}
{% macro worst_status(history, months) -%}
    {%- set newest = 'substring(' ~ history ~ ', 1, ' ~ months ~ ')' -%}
    case
        when {{ newest }} like '%L%' then 8
        when {{ newest }} like '%G%' or {{ newest }} like '%H%'
            or {{ newest }} like '%J%' or {{ newest }} like '%K%' then 7
        {%- for late in [6, 5, 4, 3, 2, 1] %}
        when {{ newest }} like '%{{ late }}%' then {{ late }}
        {%- endfor %}
        when {{ newest }} like '%0%' or {{ newest }} like '%E%' then 0
    end
{%- endmacro %}
