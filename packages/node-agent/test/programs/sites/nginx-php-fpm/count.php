<?php
// Counted in System V shared memory behind a System V semaphore, which all of PHP's processes use.
$semaphore = sem_get(4711);
sem_acquire($semaphore);
$memory = shm_attach(4712, 10000);
$visits = (shm_has_var($memory, 1) ? shm_get_var($memory, 1) : 0) + 1;
shm_put_var($memory, 1, $visits);
sem_release($semaphore);
echo "visits $visits process ", getmypid(), "\n";
