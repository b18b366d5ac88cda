{#- A ratio of two exact sums: divided once, as DOUBLE, rounded to six places. Null when either is
    unknown or the denominator is zero. Sums stay DECIMAL: the sum of DOUBLEs depends on the order in
    which threads add. -#}
{% macro ratio(numerator, denominator) -%}
    cast(
        round(
            cast({{ numerator }} as double)
            / nullif(cast({{ denominator }} as double), cast(0 as double)),
            6
        ) as double
    )
{%- endmacro %}

{% macro money(expression) -%}
    cast({{ expression }} as decimal(18, 2))
{%- endmacro %}

{#- Standard deviation of `n` values of which the exact sum and the exact sum of squares are known;
    their difference is clipped at zero, below which only rounding takes it. -#}
{% macro deviation(n, total, squares) -%}
    round(
        sqrt(
            greatest(
                cast(0 as double),
                cast({{ squares }} as double) / {{ n }}
                - (cast({{ total }} as double) / {{ n }}) * (cast({{ total }} as double) / {{ n }})
            )
        ),
        6
    )
{%- endmacro %}
