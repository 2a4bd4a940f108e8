NAME          TOY
ROWS
 N  COST
 L  CAP
 G  NEED
COLUMNS
    X         COST         1.0   CAP          1.0
    X         NEED         1.0
    Y         COST         2.0   CAP          3.0
RHS
    RHS       CAP          9.0   NEED         2.0
BOUNDS
 UP BND       X            4.0
 LI BND       X              1
 SC BND       X              5
ENDATA
